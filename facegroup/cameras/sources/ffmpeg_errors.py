"""What FFmpeg says went wrong → a `SourceError`.

FFmpeg's own errors quote addresses with passwords, so nothing of them is kept.
"""

import os

import av.error

from facegroup.errors import FacegroupError, NoVideo, SourceError, SourceRefused, SourceUnreachable

_MEANING: tuple[tuple[tuple[type[BaseException], ...], type[SourceError], str], ...] = (
    (
        (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError),
        SourceRefused,
        "the source refuses the user and password, or asks for them",
    ),
    ((av.error.HTTPClientError,), SourceRefused, "the source has nothing at this address"),
    ((av.error.HTTPServerError,), SourceUnreachable, "the source has a fault of its own"),
    (
        (
            av.error.InvalidDataError,
            av.error.ArgumentError,  # of a format that is left out
            av.error.DemuxerNotFoundError,
            av.error.DecoderNotFoundError,
            av.error.PatchWelcomeError,
            av.error.ProtocolNotFoundError,
            av.error.NotImplementedError,
            av.error.BugError,
        ),
        NoVideo,
        "what the source sends is no video that can be decoded",
    ),
    ((PermissionError,), SourceRefused, "the source may not be read by the user that this server runs as"),
    ((av.error.EOFError,), SourceUnreachable, "the source closed the connection"),
    ((TimeoutError, av.error.ExitError), SourceUnreachable, "the source does not answer in time"),
)


def translate(error: BaseException) -> FacegroupError:
    """Return what an error of FFmpeg means. Raise it outside of the handler that caught `error`: nothing refers to it."""
    if isinstance(error, FacegroupError):
        return error
    for kinds, meaning, detail in _MEANING:
        if isinstance(error, kinds):
            return meaning(detail)
    if isinstance(error, OSError) and error.errno:
        return SourceUnreachable(f"the source cannot be read: {os.strerror(abs(error.errno))}")
    return NoVideo(f"what the source sends cannot be read ({type(error).__name__})")
