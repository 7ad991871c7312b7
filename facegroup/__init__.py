"""Face recognition as a library. It depends on neither Ray nor a web framework.

Everything that you need can be imported from here, and is loaded when you first use it:

    from facegroup import Recognizer, load

    with Recognizer(load()) as recognizer:
        results = recognizer.identify(["party.jpg"], "choir")
"""

# ruff: noqa: F403, F405 - every error is public: tests/unit/test_public.py compares `__all__` with errors.py

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facegroup.client import Client
    from facegroup.enrolment.samples import Chosen, Doubt, Enrolment, Refused
    from facegroup.errors import *
    from facegroup.gallery.calibrator import CalibrationResult, ClosestPair, Strangers
    from facegroup.gallery.verification import Verified
    from facegroup.images.inputs import PhotoInput
    from facegroup.pipeline.messages import PhotoMatches, PhotoResult, Quality
    from facegroup.recognizer import Recognizer
    from facegroup.settings import Settings, load
    from facegroup.store.audit import Entry, Event, Origin
    from facegroup.store.contract import Enrolled, Erased, Merged
    from facegroup.types import Calibration, Candidate, FaceChoice, Faces, Gallery, Match, Person, Policy

__all__ = [
    "AccessUnavailable",
    "ArchiveError",
    "ArchiveInvalid",
    "ArchiveNewer",
    "BodyTooLarge",
    "Calibration",
    "CalibrationResult",
    "CameraExists",
    "CamerasOff",
    "Candidate",
    "Chosen",
    "Client",
    "ClientError",
    "ClosestPair",
    "CohortTooSmall",
    "Conflict",
    "Contradiction",
    "DamagedVideo",
    "Doubt",
    "EmptyBody",
    "EngineUnavailable",
    "Enrolled",
    "Enrolment",
    "Entry",
    "Erased",
    "Event",
    "ExtremePose",
    "FaceChoice",
    "FaceCutOff",
    "FaceTooSmall",
    "FacegroupError",
    "Faces",
    "Forbidden",
    "Gallery",
    "GalleryExists",
    "HostNotAllowed",
    "IdempotencyConflict",
    "ImageError",
    "ImageTooLarge",
    "InvalidDescriptor",
    "InvalidName",
    "InvalidSettings",
    "InvalidSource",
    "KeyEnded",
    "KeyMissing",
    "LastAdmin",
    "LastAdminKey",
    "LivenessUnavailable",
    "LooksLike",
    "LooksLikeOwn",
    "LowConfidence",
    "LowContrast",
    "MalformedRequest",
    "Match",
    "Merged",
    "MigrationIncomplete",
    "MultipleFaces",
    "NetworkMismatch",
    "NoFace",
    "NoKeyFrame",
    "NoKeys",
    "NoProvider",
    "NoVideo",
    "NotAnImage",
    "NotFound",
    "NotLive",
    "NotUpright",
    "Origin",
    "OriginNotAllowed",
    "Overloaded",
    "Person",
    "PersonExists",
    "PhotoInput",
    "PhotoMatches",
    "PhotoResult",
    "Policy",
    "PoorQuality",
    "ProviderUnavailable",
    "Quality",
    "RateLimited",
    "Recognizer",
    "Refused",
    "ServiceError",
    "Settings",
    "SetupError",
    "SignInRefused",
    "SourceEnded",
    "SourceError",
    "SourceNotAllowed",
    "SourceRefused",
    "SourceStalled",
    "SourceUnreachable",
    "StageUnavailable",
    "StoreFull",
    "StoreInvalid",
    "StoreNotShared",
    "StoreUnavailable",
    "StoreWentBack",
    "Strangers",
    "SwitchConflict",
    "TimedOut",
    "TooBlurred",
    "TooBright",
    "TooDark",
    "TooFewToCalibrate",
    "TooManyCameras",
    "TooManyCounterExamples",
    "TooManyImages",
    "TooManyKeys",
    "TooManyPixels",
    "TooManyUsers",
    "TooManyVideos",
    "TooManyWebhooks",
    "TruncatedImage",
    "Unauthorised",
    "UnknownCamera",
    "UnknownGallery",
    "UnknownKey",
    "UnknownNetwork",
    "UnknownParameter",
    "UnknownPerson",
    "UnknownPhoto",
    "UnknownSighting",
    "UnknownStranger",
    "UnknownUser",
    "UnknownVideo",
    "UnknownWebhook",
    "UnknownsNotAllowed",
    "UnlikeOwn",
    "UnsupportedEncoding",
    "UnsupportedFormat",
    "UserExists",
    "Verified",
    "WeakPassword",
    "WebhookExists",
    "WeightsInvalid",
    "WeightsMissing",
    "WrongCsrfToken",
    "load",
]

_MODULES = {
    "client": ["Client"],
    "enrolment.samples": ["Chosen", "Doubt", "Enrolment", "Refused"],
    "gallery.calibrator": ["CalibrationResult", "ClosestPair", "Strangers"],
    "gallery.verification": ["Verified"],
    "images.inputs": ["PhotoInput"],
    "pipeline.messages": ["PhotoMatches", "PhotoResult", "Quality"],
    "recognizer": ["Recognizer"],
    "settings": ["Settings", "load"],
    "store.audit": ["Entry", "Event", "Origin"],
    "store.contract": ["Enrolled", "Erased", "Merged"],
    "types": ["Calibration", "Candidate", "FaceChoice", "Faces", "Gallery", "Match", "Person", "Policy"],
}


if not TYPE_CHECKING:  # a type checker reads the imports above, and so reports a name that does not exist

    def __getattr__(name: str) -> object:
        """Import a public name from its module (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = next((module for module, names in _MODULES.items() if name in names), "errors")
        value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """Return the public names, for completion."""
        return __all__
