"""Every error that facegroup raises on purpose, with its stable code and its HTTP status.

    FacegroupError
    ├── ClientError                    the request is at fault: 4xx
    │   ├── ImageError                 one image; the others of a batch are answered
    │   │   ├── EmptyBody · NotAnImage · TruncatedImage · UnsupportedFormat · TooManyPixels · ImageTooLarge
    │   │   ├── NoFace · MultipleFaces · NotUpright · LooksLike · UnlikeOwn · LooksLikeOwn
    │   │   ├── NotLive
    │   │   └── PoorQuality            LowConfidence · FaceCutOff · FaceTooSmall · TooBlurred · TooDark · TooBright ·
    │   │                              LowContrast · ExtremePose
    │   ├── BodyTooLarge · TooManyImages · MalformedRequest · InvalidName · InvalidDescriptor · UnknownParameter ·
    │   │   UnsupportedEncoding · HostNotAllowed · OriginNotAllowed · UnknownsNotAllowed · Unauthorised ·
    │   │   SignInRefused · Forbidden · WrongCsrfToken · WeakPassword
    │   ├── NotFound                   UnknownGallery · UnknownPerson · UnknownPhoto · UnknownCamera ·
    │   │                              UnknownSighting · UnknownStranger · UnknownWebhook · UnknownVideo · UnknownKey ·
    │   │                              UnknownUser · NoProvider · CamerasOff
    │   ├── Conflict                   GalleryExists · PersonExists · NetworkMismatch ·
    │   │                              IdempotencyConflict · SwitchConflict · MigrationIncomplete ·
    │   │                              TooFewToCalibrate · CohortTooSmall · Contradiction · TooManyCounterExamples ·
    │   │                              CameraExists · TooManyCameras · WebhookExists · TooManyWebhooks ·
    │   │                              TooManyVideos · KeyMissing · KeyEnded · LastAdminKey ·
    │   │                              TooManyKeys · UserExists · LastAdmin · TooManyUsers · LivenessUnavailable
    │   ├── SourceError                a camera's source, or a video: InvalidSource · SourceNotAllowed ·
    │   │                              SourceUnreachable · SourceRefused · NoVideo · DamagedVideo · SourceEnded ·
    │   │                              SourceStalled · NoKeyFrame
    │   └── ArchiveError               an exported file: ArchiveInvalid · ArchiveNewer
    ├── ServiceError                   try again later: Overloaded · RateLimited (429) · StoreUnavailable · StoreFull ·
    │                                  StoreWentBack · AccessUnavailable · ProviderUnavailable · StageUnavailable ·
    │                                  TimedOut (503)
    └── SetupError                     the operator must act: WeightsMissing · WeightsInvalid · UnknownNetwork ·
                                       EngineUnavailable · InvalidSettings · StoreInvalid · StoreNotShared ·
                                       NoKeys

``code`` is stable and part of the API; ``status`` is the HTTP status. An exception keeps exactly the arguments it was
created with, so that it can be rebuilt in another process.
"""

import shlex
from collections.abc import Mapping
from typing import Any, ClassVar, Self


class FacegroupError(Exception):
    """Base class of all errors that facegroup raises on purpose.

    Args:
        detail: a message for a person: what is wrong and what to do.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)

    @property
    def detail(self) -> str:
        """The message for a person."""
        return str(self.args[0]) if self.args and self.args[0] else self.code.replace("_", " ")

    def __str__(self) -> str:
        return self.detail


class ClientError(FacegroupError):
    """The request is at fault."""

    code = "bad_request"
    status = 400


class ImageError(ClientError):
    """One image cannot be used. The other images of the request can."""

    code = "bad_image"
    status = 422


class EmptyBody(ImageError):
    """The image is empty."""

    code = "empty_body"
    status = 400


class NotAnImage(ImageError):
    """The image format is not recognised."""

    code = "not_an_image"


class TruncatedImage(ImageError):
    """The image is incomplete or damaged."""

    code = "truncated_image"


class UnsupportedFormat(ImageError):
    """The format of the image or body is not supported."""

    code = "unsupported_format"
    status = 415


class TooManyPixels(ImageError):
    """The image has more pixels than the limit."""

    code = "too_many_pixels"
    status = 413


class ImageTooLarge(ImageError):
    """The image has more bytes than the limit for one image."""

    code = "image_too_large"
    status = 413


class NoFace(ImageError):
    """No face was found in an enrolment or verification photo."""

    code = "no_face"


class MultipleFaces(ImageError):
    """An enrolment or verification photo has several faces, and the request does not say which one is meant."""

    code = "multiple_faces"


class NotUpright(ImageError):
    """An enrolment photo may not be upright. Only a strict request refuses it; otherwise it is enrolled turned."""

    code = "not_upright"


class LooksLike(ImageError):
    """An enrolment photo is more similar to another person of the gallery. Only a strict request refuses it."""

    code = "looks_like"


class UnlikeOwn(ImageError):
    """An enrolment photo differs too much from the person's other photos. Only a strict request refuses it."""

    code = "unlike_own"


class LooksLikeOwn(ImageError):
    """A counter-example is so similar to its person that it may show them. Only a strict request refuses it."""

    code = "looks_like_own"


class NotLive(ImageError):
    """The face in an enrolment photo is not live: it looks like a picture of a face, or is too small to tell."""

    code = "not_live"


class PoorQuality(ImageError):
    """The face in an enrolment photo does not meet the gallery's quality policy. A subclass says which part."""

    code = "poor_quality"


class LowConfidence(PoorQuality):
    """The detector is not certain that this is a face."""

    code = "low_confidence"


class FaceCutOff(PoorQuality):
    """Part of the face is outside the photo."""

    code = "face_cut_off"


class FaceTooSmall(PoorQuality):
    """The face has too few pixels."""

    code = "face_too_small"


class TooBlurred(PoorQuality):
    """The face is blurred."""

    code = "too_blurred"


class TooDark(PoorQuality):
    """The face is too dark."""

    code = "too_dark"


class TooBright(PoorQuality):
    """The face is too bright."""

    code = "too_bright"


class LowContrast(PoorQuality):
    """The face has too little contrast, for example because of fog or light from behind."""

    code = "low_contrast"


class ExtremePose(PoorQuality):
    """The face is turned away, tilted, or looks far up or down."""

    code = "extreme_pose"


class BodyTooLarge(ClientError):
    """The request has more bytes than the limit."""

    code = "body_too_large"
    status = 413


class TooManyImages(ClientError):
    """The request has more images than the limit."""

    code = "too_many_images"
    status = 413


class MalformedRequest(ClientError):
    """The request is malformed: broken multipart or JSON, a missing part, or a wrong type."""

    code = "malformed_request"


class UnknownParameter(ClientError):
    """The request has a query parameter or form field that the route does not have."""

    code = "unknown_parameter"
    status = 422


class UnsupportedEncoding(ClientError):
    """The body is compressed. Send it uncompressed."""

    code = "unsupported_encoding"
    status = 415


class HostNotAllowed(ClientError):
    """The server does not accept the request's host name. Add the name to FACEGROUP_HOSTS."""

    code = "host_not_allowed"
    status = 403


class OriginNotAllowed(ClientError):
    """A web page of another origin tried to change something. Add the origin to FACEGROUP_CORS_ORIGINS."""

    code = "origin_not_allowed"
    status = 403


class Unauthorised(ClientError):
    """The server asks for a key or a session, and the request has none that holds."""

    code = "unauthorised"
    status = 401


class SignInRefused(ClientError):
    """The name or the password is wrong, or the provider's answer admits nobody."""

    code = "sign_in_refused"
    status = 401


class Forbidden(ClientError):
    """The key does not allow this. It may be for other work, other galleries or other cameras."""

    code = "forbidden"
    status = 403


class WrongCsrfToken(ClientError):
    """A change with a session needs its token in the header x-csrf-token, and it is missing or wrong."""

    code = "wrong_csrf_token"
    status = 403


class WeakPassword(ClientError):
    """The password is too short, too long, or the name."""

    code = "weak_password"
    status = 422


class InvalidName(ClientError):
    """The name of a gallery or a person is not valid."""

    code = "invalid_name"
    status = 422


class InvalidDescriptor(ClientError):
    """A descriptor has the wrong length, is not finite, or is zero."""

    code = "invalid_descriptor"
    status = 422


class NotFound(ClientError):
    """The requested resource does not exist."""

    code = "not_found"
    status = 404


class UnknownGallery(NotFound):
    """No gallery has this name."""

    code = "unknown_gallery"


class UnknownPerson(NotFound):
    """No person in the gallery has this id."""

    code = "unknown_person"


class UnknownPhoto(NotFound):
    """The person has no photo with this id."""

    code = "unknown_photo"


class Conflict(ClientError):
    """The request conflicts with what is stored."""

    code = "conflict"
    status = 409


class GalleryExists(Conflict):
    """A gallery with this name but other settings exists."""

    code = "gallery_exists"


class PersonExists(Conflict):
    """A person with this id exists."""

    code = "person_exists"


class NetworkMismatch(Conflict):
    """The gallery was made with another network. Descriptors of two networks cannot be compared."""

    code = "network_mismatch"

    @classmethod
    def of(cls, gallery: str, made_with: str, runs: str) -> Self:
        """Return the error for a gallery of another network than the running one, with the command that migrates it."""
        return cls(
            f"Gallery {gallery} was made with {made_with}, but this server runs {runs}. Run {made_with}, or migrate the "
            f"gallery: facegroup migrate {shlex.quote(gallery)} --network {runs}"
        )

    @classmethod
    def changed(cls, gallery: str, network: str, made_with: str, runs: str) -> Self:
        """Return the error for a gallery of the same network with other weights or another preprocessing."""
        return cls(
            f"Gallery {gallery} was made with other weights or another preprocessing of {network} (fingerprint "
            f"{made_with[:12]}…) than this server has (fingerprint {runs[:12]}…). Restore the earlier files and their YAML, "
            f"or give the new ones another name and run: facegroup migrate {shlex.quote(gallery)} --network NEW"
        )


class IdempotencyConflict(Conflict):
    """The idempotency key was already used for a different request."""

    code = "idempotency_conflict"


class SwitchConflict(Conflict):
    """The gallery changed while an import or a migration was about to replace it. Nothing was replaced."""

    code = "switch_conflict"


class MigrationIncomplete(Conflict):
    """Some samples cannot be embedded with the new network. Nothing was replaced."""

    code = "migration_incomplete"


class TooFewToCalibrate(Conflict):
    """There are too few photos to find a threshold for the requested FPIR. Nothing was changed."""

    code = "too_few_to_calibrate"


class UnknownsNotAllowed(ClientError):
    """Strangers whom cameras saw may not be copied into a cohort on this server."""

    code = "unknowns_not_allowed"
    status = 403


class CohortTooSmall(Conflict):
    """The gallery decides by a cohort, or is to, and the cohort has too few people."""

    code = "cohort_too_small"


class Contradiction(Conflict):
    """A face cannot be both a photo and a counter-example of the same person."""

    code = "contradiction"


class TooManyCounterExamples(Conflict):
    """The person has the maximum number of counter-examples."""

    code = "too_many_counter_examples"


class UnknownCamera(NotFound):
    """No camera has this id."""

    code = "unknown_camera"


class UnknownSighting(NotFound):
    """No sighting has this id, or no picture of it is stored."""

    code = "unknown_sighting"


class UnknownStranger(NotFound):
    """No stranger in the gallery has this id."""

    code = "unknown_stranger"


class UnknownWebhook(NotFound):
    """No webhook has this id."""

    code = "unknown_webhook"


class UnknownVideo(NotFound):
    """No video has this id."""

    code = "unknown_video"


class UnknownKey(NotFound):
    """No key has this id."""

    code = "unknown_key"


class UnknownUser(NotFound):
    """No user has this name."""

    code = "unknown_user"


class NoProvider(NotFound):
    """The server has no OpenID Connect provider."""

    code = "no_provider"


class CamerasOff(NotFound):
    """The server was started without cameras."""

    code = "cameras_off"


class CameraExists(Conflict):
    """A camera with this id exists."""

    code = "camera_exists"


class TooManyCameras(Conflict):
    """The server has the maximum number of cameras."""

    code = "too_many_cameras"


class WebhookExists(Conflict):
    """A webhook with this id exists."""

    code = "webhook_exists"


class TooManyWebhooks(Conflict):
    """The server has the maximum number of webhooks."""

    code = "too_many_webhooks"


class TooManyVideos(Conflict):
    """The maximum number of videos is already waiting."""

    code = "too_many_videos"


class KeyMissing(Conflict):
    """The key that the store is encrypted with is not set, or there is no key to store a password or secret with."""

    code = "key_missing"


class KeyEnded(Conflict):
    """The key is revoked or has expired, so it cannot be rotated."""

    code = "key_ended"


class LastAdminKey(Conflict):
    """The last admin key is not revoked unless you force it. Nobody could make keys over HTTP."""

    code = "last_admin_key"


class TooManyKeys(Conflict):
    """The server has the maximum number of keys."""

    code = "too_many_keys"


class UserExists(Conflict):
    """A user with this name exists."""

    code = "user_exists"


class LastAdmin(Conflict):
    """The last admin stays as they are, since there is no admin key: nobody could make keys and users over HTTP."""

    code = "last_admin"


class TooManyUsers(Conflict):
    """The server has the maximum number of users."""

    code = "too_many_users"


class LivenessUnavailable(Conflict):
    """The gallery or the request asks for live faces, but nothing here can tell whether a face is live."""

    code = "liveness_unavailable"

    @classmethod
    def of(cls, gallery: str) -> Self:
        """Return the error for a gallery, or a request on it, that asks for live faces of a server that scores none."""
        return cls(
            f"Gallery {gallery} or the request requires live faces, but this server has no liveness model. Set "
            "liveness.model to minifasnet (FACEGROUP_LIVENESS__MODEL), or the gallery's liveness to off."
        )


class SourceError(ClientError):
    """A camera's source or a video cannot be used."""

    code = "source_error"
    status = 422


class InvalidSource(SourceError):
    """The source address is invalid: a wrong scheme, no host, or not a path."""

    code = "invalid_source"


class SourceNotAllowed(SourceError):
    """The settings do not allow this source: it is in a private network or outside the allowed folder."""

    code = "source_not_allowed"
    status = 403


class SourceUnreachable(SourceError):
    """The source does not answer, or the connection was lost."""

    code = "source_unreachable"


class SourceRefused(SourceError):
    """The source refused the request: a wrong user or password, or no such stream."""

    code = "source_refused"


class NoVideo(SourceError):
    """The source does not send decodable video."""

    code = "not_a_video"


class DamagedVideo(SourceError):
    """Part of a video cannot be decoded. The rest can."""

    code = "damaged_video"


class SourceEnded(SourceError):
    """The source has ended."""

    code = "source_ended"


class SourceStalled(SourceError):
    """The source is connected but sends no frames."""

    code = "source_stalled"


class NoKeyFrame(SourceError):
    """The source sends video but no key frame yet. Decoding starts at the first key frame."""

    code = "no_key_frame"


class ArchiveError(ClientError):
    """An exported file cannot be imported. Nothing was imported."""

    code = "archive_error"
    status = 422


class ArchiveInvalid(ArchiveError):
    """The file is damaged or is not an exported gallery."""

    code = "archive_invalid"


class ArchiveNewer(ArchiveError):
    """The exported file has a newer format than this version supports."""

    code = "archive_newer"


class ServiceError(FacegroupError):
    """The server cannot process a valid request now. Try again later.

    Args:
        detail: a message for a person.
        retry_after: seconds to wait before the next try.
    """

    code = "unavailable"
    status = 503

    def __init__(self, detail: str = "", retry_after: int = 1) -> None:
        Exception.__init__(self, detail, retry_after)

    @property
    def retry_after(self) -> int:
        """Seconds to wait before the next try."""
        return int(self.args[1])


class Overloaded(ServiceError):
    """A queue is full. The request was rejected without processing."""

    code = "overloaded"
    status = 429


class RateLimited(ServiceError):
    """The caller used as much as they may for now. The request was rejected without processing.

    Args:
        detail: a message for a person.
        retry_after: seconds to wait before the next try.
        left: what the caller may still use; see `facegroup.access.rates.Left`.
    """

    code = "rate_limited"
    status = 429

    def __init__(self, detail: str = "", retry_after: int = 1, left: tuple[Any, ...] = ()) -> None:
        Exception.__init__(self, detail, retry_after, left)

    @property
    def left(self) -> tuple[Any, ...]:
        """What the caller may still use."""
        return tuple(self.args[2])


class StoreUnavailable(ServiceError):
    """The store does not answer. Nothing was written."""

    code = "store_unavailable"


class StoreFull(StoreUnavailable):
    """The store's disk is full. You can erase, but not enrol or change. Enrolled people are still recognised."""

    code = "store_full"


class StoreWentBack(ServiceError):
    """The store lost data of the gallery. Writing is disabled until an operator accepts the loss."""

    code = "store_went_back"


class AccessUnavailable(ServiceError):
    """The store does not answer, so keys cannot be checked."""

    code = "access_unavailable"


class ProviderUnavailable(ServiceError):
    """The OpenID Connect provider does not answer, or not as one does."""

    code = "provider_unavailable"


class StageUnavailable(ServiceError):
    """A process of the server was lost or has not started yet. The request may or may not have been processed."""

    code = "stage_unavailable"


class TimedOut(ServiceError):
    """The request took longer than the limit and was cancelled."""

    code = "timed_out"


class SetupError(FacegroupError):
    """The operator must act: the program cannot start or continue with this setup."""

    code = "setup_error"


class WeightsMissing(SetupError):
    """A network's weights are missing and cannot be downloaded."""

    code = "weights_missing"


class WeightsInvalid(SetupError):
    """A weights file is damaged or belongs to another network."""

    code = "weights_invalid"


class UnknownNetwork(SetupError):
    """No network has this name."""

    code = "unknown_network"


class EngineUnavailable(SetupError):
    """The requested engine or device is not available. No other one is used instead."""

    code = "engine_unavailable"


class InvalidSettings(SetupError):
    """A setting is unknown or has an invalid value."""

    code = "invalid_settings"


class StoreInvalid(SetupError):
    """The store's address or file cannot be used by this version."""

    code = "store_invalid"


class StoreNotShared(SetupError):
    """The server runs on several machines, or may, and its store is a file of one of them, or is not named."""

    code = "store_not_shared"


class NoKeys(SetupError):
    """The server would listen on an address that others can reach, and has no keys."""

    code = "no_keys"


def error_of(problem: Mapping[str, Any]) -> FacegroupError:
    """Return the library's error for a problem; a `FacegroupError` if its code is unknown."""
    kind = _kinds(FacegroupError).get(problem["code"], FacegroupError)
    if issubclass(kind, ServiceError):
        return kind(problem["detail"], seconds_of(problem.get("retry_after")))
    return kind(problem["detail"])


def seconds_of(said: object) -> int:
    """Return the seconds of a Retry-After header; 1 if it is missing or a date."""
    text = str(said)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _kinds(root: type[FacegroupError]) -> dict[str, type[FacegroupError]]:
    below = (_kinds(kind) for kind in root.__subclasses__())
    return {code: kind for kinds in below for code, kind in kinds.items()} | {root.code: root}
