"""Every way in which facegroup says no, each on the arrow where it happens.

    bytes ─decode→ image ─detect→ faces ─align→ crops ─embed→ descriptors ─match→ names
      │              │              │                     │                  │
      EmptyBody      │              NoFace                WeightsMissing     UnknownGallery
      BodyTooLarge   │              MultipleFaces         WeightsInvalid     UnknownPerson
      NotAnImage     TooManyPixels  PoorQuality           EngineUnavailable  NetworkMismatch
      TruncatedImage                                                         StoreUnavailable
      UnsupportedFormat

    FacegroupError
    ├── ClientError                    the caller's input is at fault: 4xx
    │   ├── ImageError                 one image; in a batch the others are answered
    │   │   ├── EmptyBody · NotAnImage · TruncatedImage · UnsupportedFormat · TooManyPixels · ImageTooLarge
    │   │   ├── NoFace · MultipleFaces · NotUpright · LooksLike · UnlikeOwn · LooksLikeOwn
    │   │   └── PoorQuality            LowConfidence · FaceCutOff · FaceTooSmall · TooBlurred · TooDark · TooBright ·
    │   │                              LowContrast · ExtremePose
    │   ├── BodyTooLarge · TooManyImages · MalformedRequest · InvalidName · InvalidDescriptor · UnknownParameter ·
    │   │   UnsupportedEncoding · HostNotAllowed · OriginNotAllowed
    │   ├── NotFound                   UnknownGallery · UnknownPerson · UnknownPhoto · UnknownCamera ·
    │   │                              UnknownSighting · UnknownStranger · UnknownWebhook · UnknownVideo · CamerasOff
    │   ├── Conflict                   GalleryExists · PersonExists · NetworkMismatch ·
    │   │                              IdempotencyConflict · SwitchConflict · MigrationIncomplete ·
    │   │                              TooFewToCalibrate · Contradiction · TooManyCounterExamples ·
    │   │                              CameraExists · TooManyCameras · WebhookExists · TooManyWebhooks ·
    │   │                              TooManyVideos · KeyMissing
    │   ├── SourceError                a camera's source, or a video: InvalidSource · SourceNotAllowed ·
    │   │                              SourceUnreachable · SourceRefused · NoVideo · DamagedVideo · SourceEnded ·
    │   │                              SourceStalled · NoKeyFrame
    │   └── ArchiveError               an exported file: ArchiveInvalid · ArchiveNewer
    ├── ServiceError                   try again later: Overloaded (429) · StoreUnavailable · StoreFull ·
    │                                  StoreWentBack · StageUnavailable · TimedOut (503)
    └── SetupError                     the operator must act: WeightsMissing · WeightsInvalid · UnknownNetwork ·
                                       EngineUnavailable · InvalidSettings · StoreInvalid

``code`` is stable and part of the API; ``status`` is the HTTP status. An exception holds exactly the arguments that it
was made with, so that it can be rebuilt on the other side of a process border.
"""

import shlex
from typing import ClassVar, Self


class FacegroupError(Exception):
    """Root of all errors that facegroup raises on purpose.

    Args:
        detail: one sentence for a person: what is wrong and what to do.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)

    @property
    def detail(self) -> str:
        """The sentence for a person."""
        return str(self.args[0]) if self.args and self.args[0] else self.code.replace("_", " ")

    def __str__(self) -> str:
        return self.detail


class ClientError(FacegroupError):
    """The caller's input is at fault."""

    code = "bad_request"
    status = 400


class ImageError(ClientError):
    """One image cannot be used; the other images of the request can."""

    code = "bad_image"
    status = 422


class EmptyBody(ImageError):
    """There are no bytes."""

    code = "empty_body"
    status = 400


class NotAnImage(ImageError):
    """The bytes are no image."""

    code = "not_an_image"


class TruncatedImage(ImageError):
    """The image ends early or is damaged inside."""

    code = "truncated_image"


class UnsupportedFormat(ImageError):
    """An image, or a body, of a format that is not accepted."""

    code = "unsupported_format"
    status = 415


class TooManyPixels(ImageError):
    """The image would decode to more pixels than the limit."""

    code = "too_many_pixels"
    status = 413


class ImageTooLarge(ImageError):
    """One image has more bytes than the limit for one image."""

    code = "image_too_large"
    status = 413


class NoFace(ImageError):
    """An enrolment or verification photo without a face."""

    code = "no_face"


class MultipleFaces(ImageError):
    """An enrolment or verification photo with several faces and no word of which is meant."""

    code = "multiple_faces"


class NotUpright(ImageError):
    """An enrolment photo that may not be upright; refused only where the request is strict, and else enrolled turned."""

    code = "not_upright"


class LooksLike(ImageError):
    """An enrolment photo that is more like another person of the gallery; refused only where the request is strict."""

    code = "looks_like"


class UnlikeOwn(ImageError):
    """An enrolment photo that is far from its person's others; refused only where the request is strict."""

    code = "unlike_own"


class LooksLikeOwn(ImageError):
    """A counter-example that is so like its person that it may show them; refused only where the request is strict."""

    code = "looks_like_own"


class PoorQuality(ImageError):
    """An enrolment photo whose face is below the gallery's policy; which part of it, one of the following says."""

    code = "poor_quality"


class LowConfidence(PoorQuality):
    """The detector is not sure that it is a face."""

    code = "low_confidence"


class FaceCutOff(PoorQuality):
    """A part of the face lies outside the photo."""

    code = "face_cut_off"


class FaceTooSmall(PoorQuality):
    """The face has too few pixels."""

    code = "face_too_small"


class TooBlurred(PoorQuality):
    """The face is not sharp."""

    code = "too_blurred"


class TooDark(PoorQuality):
    """The face is too dark."""

    code = "too_dark"


class TooBright(PoorQuality):
    """The face is too bright."""

    code = "too_bright"


class LowContrast(PoorQuality):
    """The face is grey in grey: fog, or light from behind."""

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
    """The request is not what the route takes: broken multipart or JSON, a missing part, a wrong type."""

    code = "malformed_request"


class UnknownParameter(ClientError):
    """The request has a query parameter or form field that the route does not know."""

    code = "unknown_parameter"
    status = 422


class UnsupportedEncoding(ClientError):
    """The body is compressed; send it uncompressed."""

    code = "unsupported_encoding"
    status = 415


class HostNotAllowed(ClientError):
    """The server does not know the host name of the request; FACEGROUP_HOSTS names those that it knows."""

    code = "host_not_allowed"
    status = 403


class OriginNotAllowed(ClientError):
    """A web page of another origin asks for a change; FACEGROUP_CORS_ORIGINS names those that may."""

    code = "origin_not_allowed"
    status = 403


class InvalidName(ClientError):
    """A name of a gallery or a person that cannot be accepted."""

    code = "invalid_name"
    status = 422


class InvalidDescriptor(ClientError):
    """A descriptor of a wrong length, or not finite, or zero."""

    code = "invalid_descriptor"
    status = 422


class NotFound(ClientError):
    """What was asked for does not exist."""

    code = "not_found"
    status = 404


class UnknownGallery(NotFound):
    """There is no gallery of this name."""

    code = "unknown_gallery"


class UnknownPerson(NotFound):
    """There is no person of this id in the gallery."""

    code = "unknown_person"


class UnknownPhoto(NotFound):
    """The person has no sample of this id."""

    code = "unknown_photo"


class Conflict(ClientError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409


class GalleryExists(Conflict):
    """There is a gallery of this name with other settings."""

    code = "gallery_exists"


class PersonExists(Conflict):
    """There is a person of this id."""

    code = "person_exists"


class NetworkMismatch(Conflict):
    """The gallery was made with another network; descriptors of two networks cannot be compared."""

    code = "network_mismatch"

    @classmethod
    def of(cls, gallery: str, made_with: str, runs: str) -> Self:
        """Return the error of a gallery of another network than the one that runs, which says how it is moved."""
        return cls(
            f"the gallery {gallery} was made with {made_with}, and this runs {runs}; run {made_with}, or move the gallery: "
            f"facegroup migrate {shlex.quote(gallery)} --network {runs}"
        )


class IdempotencyConflict(Conflict):
    """The idempotency key was used for another request before."""

    code = "idempotency_conflict"


class SwitchConflict(Conflict):
    """Somebody else changed what an import or a migration was about to switch; nothing was switched."""

    code = "switch_conflict"


class MigrationIncomplete(Conflict):
    """Some samples cannot be embedded anew; nothing was switched."""

    code = "migration_incomplete"


class TooFewToCalibrate(Conflict):
    """The photos are too few to say which threshold keeps the FPIR that was asked for; nothing was changed."""

    code = "too_few_to_calibrate"


class Contradiction(Conflict):
    """A face would be a photo of a person and said not to be that person."""

    code = "contradiction"


class TooManyCounterExamples(Conflict):
    """A person has as many counter-examples as are kept of one."""

    code = "too_many_counter_examples"


class UnknownCamera(NotFound):
    """There is no camera of this id."""

    code = "unknown_camera"


class UnknownSighting(NotFound):
    """There is no sighting of this id, or no picture of it is kept."""

    code = "unknown_sighting"


class UnknownStranger(NotFound):
    """There is no stranger of this id in the gallery."""

    code = "unknown_stranger"


class UnknownWebhook(NotFound):
    """There is no webhook of this id."""

    code = "unknown_webhook"


class UnknownVideo(NotFound):
    """There is no video of this id."""

    code = "unknown_video"


class CamerasOff(NotFound):
    """The server was started without cameras."""

    code = "cameras_off"


class CameraExists(Conflict):
    """There is a camera of this id."""

    code = "camera_exists"


class TooManyCameras(Conflict):
    """There are as many cameras as the limit allows."""

    code = "too_many_cameras"


class WebhookExists(Conflict):
    """There is a webhook of this id."""

    code = "webhook_exists"


class TooManyWebhooks(Conflict):
    """There are as many webhooks as the limit allows."""

    code = "too_many_webhooks"


class TooManyVideos(Conflict):
    """As many videos as the limit allows are waiting already."""

    code = "too_many_videos"


class KeyMissing(Conflict):
    """A password would have to be kept, and the settings have no key to seal it with."""

    code = "key_missing"


class SourceError(ClientError):
    """A camera's source, or a video, that cannot be looked at."""

    code = "source_error"
    status = 422


class InvalidSource(SourceError):
    """The address is none that can be read: a wrong scheme, no host, not a path."""

    code = "invalid_source"


class SourceNotAllowed(SourceError):
    """The address leads where the settings do not let anybody look: a private network, another folder."""

    code = "source_not_allowed"
    status = 403


class SourceUnreachable(SourceError):
    """Nobody answers at the address, or the connection was lost."""

    code = "source_unreachable"


class SourceRefused(SourceError):
    """The source answers and says no: a wrong user or password, or nothing of this name."""

    code = "source_refused"


class NoVideo(SourceError):
    """What the source sends is no video that can be decoded."""

    code = "not_a_video"


class DamagedVideo(SourceError):
    """A part of a video cannot be decoded; the rest of it can."""

    code = "damaged_video"


class SourceEnded(SourceError):
    """The source came to its end."""

    code = "source_ended"


class SourceStalled(SourceError):
    """The source is open, and no frame comes."""

    code = "source_stalled"


class NoKeyFrame(SourceError):
    """Video comes, but no key frame yet; without one there is no picture."""

    code = "no_key_frame"


class ArchiveError(ClientError):
    """An exported file cannot be taken in; nothing was imported."""

    code = "archive_error"
    status = 422


class ArchiveInvalid(ArchiveError):
    """An exported file is damaged, or none at all."""

    code = "archive_invalid"


class ArchiveNewer(ArchiveError):
    """An exported file is of a newer version of the format than this program knows."""

    code = "archive_newer"


class ServiceError(FacegroupError):
    """Nothing is wrong with the request; try again later.

    Args:
        detail: one sentence for a person.
        retry_after: seconds after which another try makes sense.
    """

    code = "unavailable"
    status = 503

    def __init__(self, detail: str = "", retry_after: int = 1) -> None:
        Exception.__init__(self, detail, retry_after)

    @property
    def retry_after(self) -> int:
        """Seconds after which another try makes sense."""
        return int(self.args[1])


class Overloaded(ServiceError):
    """A queue is full: the request was shed, unprocessed."""

    code = "overloaded"
    status = 429


class StoreUnavailable(ServiceError):
    """The store does not answer; nothing was written."""

    code = "store_unavailable"


class StoreFull(StoreUnavailable):
    """The store's disk is full: you can erase, but not enrol or change. Known people are still named."""

    code = "store_full"


class StoreWentBack(ServiceError):
    """The store lost data of the gallery that were there before: nothing is written until an operator accepts that."""

    code = "store_went_back"


class StageUnavailable(ServiceError):
    """A process of the pipeline was lost or is not up yet; the request may or may not have been worked on."""

    code = "stage_unavailable"


class TimedOut(ServiceError):
    """The request took longer than the limit and was given up."""

    code = "timed_out"


class SetupError(FacegroupError):
    """The operator must act: the program cannot start or go on as it was told to."""

    code = "setup_error"


class WeightsMissing(SetupError):
    """A network's weights are not there and cannot be downloaded."""

    code = "weights_missing"


class WeightsInvalid(SetupError):
    """A weights file is damaged or belongs to another network."""

    code = "weights_invalid"


class UnknownNetwork(SetupError):
    """There is no network of this name."""

    code = "unknown_network"


class EngineUnavailable(SetupError):
    """The engine or device that was asked for is not there; none is taken in its place."""

    code = "engine_unavailable"


class InvalidSettings(SetupError):
    """A setting is unknown or has a value that it cannot have."""

    code = "invalid_settings"


class StoreInvalid(SetupError):
    """The store's address or file is not one that this version can use."""

    code = "store_invalid"
