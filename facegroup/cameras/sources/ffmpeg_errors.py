"""Translates errors of FFmpeg to `SourceError`s.

FFmpeg's errors quote addresses with passwords, so none of their text is kept.
"""

import os

import av.error

from facegroup.errors import FacegroupError, NoVideo, SourceError, SourceRefused, SourceUnreachable

_MEANING: tuple[tuple[tuple[type[BaseException], ...], type[SourceError], str], ...] = (
    (
        (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError),
        SourceRefused,
        "The source refuses the user and password, or asks for them.",
    ),
    ((av.error.HTTPClientError,), SourceRefused, "The source has nothing at this address."),
    ((av.error.HTTPServerError,), SourceUnreachable, "The camera returned a server error."),
    (
        (
            av.error.InvalidDataError,
            av.error.ArgumentError,  # of a format that is not allowed
            av.error.DemuxerNotFoundError,
            av.error.DecoderNotFoundError,
            av.error.PatchWelcomeError,
            av.error.ProtocolNotFoundError,
            av.error.NotImplementedError,
            av.error.BugError,
        ),
        NoVideo,
        "The source does not send decodable video.",
    ),
    ((PermissionError,), SourceRefused, "The user that this server runs as may not read the source."),
    ((av.error.EOFError,), SourceUnreachable, "The source closed the connection."),
    ((TimeoutError, av.error.ExitError), SourceUnreachable, "The source does not answer in time."),
)


def translate(error: BaseException) -> FacegroupError:
    """Return the `SourceError` of an error. Raise it outside of the handler, so that it does not refer to the original."""
    if isinstance(error, FacegroupError):
        return error
    for kinds, meaning, detail in _MEANING:
        if isinstance(error, kinds):
            return meaning(detail)
    if isinstance(error, OSError) and error.errno:
        return SourceUnreachable(f"The source cannot be read: {os.strerror(abs(error.errno))}.")
    return NoVideo(f"The source sends data that cannot be read ({type(error).__name__}).")
