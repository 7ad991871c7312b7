"""What each stage is given of the settings, so that a deployment restarts only the stages whose own settings changed.

Serve replaces the replicas of a deployment whose version changed, and gives all deployments of an application one version.
So a change of any argument would replace all. Here each stage has the version of the settings that it reads.
"""

import hashlib
import json
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from ray.serve import Deployment
from ray.serve._private.config import DeploymentConfig

from facegroup.settings import Cameras, Detector, Embedder, Matcher, Settings

_LIVE = ("threshold", "log_level")
"""Settings that a running process takes on (`deployments/live.py`), beside `matcher.candidates`."""

_WEB = ("host", "port", "hosts", "cors_origins", "client_key", "access", "ingress", "tls")
_STORE = ("store", "secret_key", "secret_key_file", "secret_key_command", "gallery", "matcher")

_NETWORK = {"model", "engine", "precision", "calibration", "num_gpus"}

_UNREAD = {
    "GalleryActor": (*_WEB, "limits", "cameras"),
    "Embedder": (*_WEB, *_STORE, "audit", "limits", "cameras", "detector", "liveness"),
    "Detector": (*_WEB, *_STORE, "audit"),
    "Cameras": ("host", "port", "hosts", "cors_origins", "client_key", "access", "tls", "embedder", "matcher"),
    "Ingress": ("embedder", "matcher"),
}
"""Settings that a stage does not read. It gets their defaults."""


def given(settings: Settings, stage: str) -> Settings:
    """Return the settings that a stage is started with. How many replicas there are is no reason to start another."""
    kept: dict[str, Any] = {name: _default(name) for name in _UNREAD[stage]}
    alone = {"replicas": 1, "per_machine": 0}
    if stage == "GalleryActor":
        kept["matcher"] = settings.matcher.model_copy(update=alone)
        # They say which network and detector galleries belong to.
        kept["detector"] = Detector(**settings.detector.model_dump(include=_NETWORK))
        kept["embedder"] = Embedder(**settings.embedder.model_dump(include=_NETWORK))
    elif stage == "Embedder":
        kept["embedder"] = settings.embedder.model_copy(update=alone)
    elif stage == "Detector":
        kept["detector"] = settings.detector.model_copy(update=alone)
        kept["embedder"] = Embedder(batch=settings.embedder.batch)
        kept["cameras"] = Cameras(share=settings.cameras.share)
    else:
        # An ingress sends more in a call if there are several detectors.
        several = {"replicas": min(2, settings.detector.replicas), "per_machine": 0}
        kept["detector"] = settings.detector.model_copy(update=several)
        kept["matcher"] = Matcher(candidates=settings.matcher.candidates)
    return settings.model_copy(update=kept)


def version(settings: Settings) -> str:
    """Return the version of a stage that is started with these settings."""
    matcher = settings.matcher.model_copy(update={"candidates": Matcher().candidates})
    fixed = settings.model_copy(update={"matcher": matcher, **{name: _default(name) for name in _LIVE}})
    text = json.dumps([installed("facegroup"), fixed.model_dump()], default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def live(settings: Settings) -> dict[str, Any]:
    """Return what a running stage takes on, as JSON."""
    return {**{name: getattr(settings, name) for name in _LIVE}, "candidates": settings.matcher.candidates}


def with_version(deployment: Deployment, version: str) -> Deployment:
    """Return the deployment with a version of its own, instead of the one that Serve gives all of an application."""
    fixed = deployment.options()
    config: Any = fixed._deployment_config
    config.version = version
    config.__class__ = _Fixed
    return fixed


class _Fixed(DeploymentConfig):
    """Configuration of a deployment whose version is not set again."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "version":
            super().__setattr__(name, value)


def _default(name: str) -> Any:
    return Settings.model_fields[name].get_default(call_default_factory=True)


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no version")
