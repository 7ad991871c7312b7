"""The server as one Ray Serve application.

    client ─HTTP→ Ingress ──photos──→ Detector ──crops──→ Embedder ──descriptors──→ GalleryActor ──→ store
                  JPEG bytes      ↗   JPEG → faces        CPU or GPU                centroids, threshold
    CameraActor ─frames→ Cameras ─

Every arrow carries a batch; answers come back along it. `serve run serve.app:build network=…`, a YAML file of
`serve deploy`, and `facegroup serve` all build it here, from the same settings.
"""

import logging
import os
from typing import Any, TypeAlias

import ray.serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig

from deployments import one_store
from deployments.cameras import Cameras
from deployments.detector import Detector
from deployments.embedder import Embedder
from deployments.gallery import GalleryActor
from deployments.logs import configure
from facegroup.cameras.journal import may_be_there
from facegroup.settings import Cameras as CamerasPart
from facegroup.settings import Detector as DetectorPart
from facegroup.settings import Embedder as EmbedderPart
from facegroup.settings import Ingress as IngressPart
from facegroup.settings import Matcher, Settings
from serve import stages, start_rules
from serve.haproxy_config import SECRET
from serve.ingress import Ingress

_Part: TypeAlias = Matcher | EmbedderPart | DetectorPart | IngressPart | CamerasPart

log = logging.getLogger("facegroup.serve")

ONGOING = 1000
"""Maximum calls under way per replica: our own queues are bounded, and Ray's default of 5 would cap every batch."""

HEALTH_SECONDS = 0.5
"""How often Ray checks that a replica lives, and so how soon it replaces a dead one. Ray's default is 10."""

ROUTER = "deployments.router.Router"
"""Class that chooses the replica for each call of a stage."""

SILENCE = {"Detector": 0.4, "Embedder": 0.2, "GalleryActor": 0.1}
"""Share of a request's time after which a replica that answers no call is stuck. The calls of a stage end before its own."""

FOR_EVER = 1e9
"""Seconds after which an idle process ends: cameras are read even if nobody asks."""


def build(settings: Settings) -> Application:
    """Wire the stages together for `serve deploy` and `serve run`, which listen where Ray is told to: keys are asked for."""
    configure(settings)
    start_rules.check_shared(settings, one_store.count_nodes(), named=SECRET in os.environ)
    return application(start_rules.checked(settings, log.warning, everywhere=True))


def application(settings: Settings) -> Application:
    """Wire the stages together."""
    gallery = _bind(GalleryActor, settings, settings.matcher)
    embedder = _bind(Embedder, settings, settings.embedder, gallery)
    detector = _bind(Detector, settings, settings.detector, embedder)
    if not settings.cameras.enabled:
        return _bind(Ingress, settings, settings.ingress, detector, embedder, gallery)
    cameras = _bind(Cameras, settings, settings.cameras, detector, gallery)
    return _bind(Ingress, settings, settings.ingress, detector, embedder, gallery, cameras)


def _once(settings: Settings) -> AutoscalingConfig:
    """Return a scale of one process: from the start if there may be cameras, else from the first call on."""
    there = int(may_be_there(settings.store) or settings.cameras.mqtt is not None)
    return AutoscalingConfig(
        min_replicas=0,
        initial_replicas=there,
        max_replicas=1,
        target_ongoing_requests=ONGOING,
        upscale_delay_s=0,
        downscale_delay_s=FOR_EVER,
    )


def _bind(process: type, settings: Settings, part: _Part, *next_: Application) -> Application:
    name = process.__name__
    options: dict[str, Any] = {}
    if isinstance(part, CamerasPart):
        options["autoscaling_config"] = _once(settings)
    else:
        options |= {"num_replicas": part.replicas, "max_replicas_per_node": part.per_machine or None}
        if part.replicas == 1 and settings.processes.surge and not getattr(part, "num_gpus", 0):
            options["max_surge_percent"] = 100
    if share := SILENCE.get(name):
        seconds = {"seconds": share * settings.limits.request_seconds}
        options["request_router_config"] = {"request_router_class": ROUTER, "request_router_kwargs": seconds}
    amounts = {each: getattr(part, each, 0) for each in ("num_cpus", "num_gpus")}
    deployment = ray.serve.deployment(
        ray_actor_options={each: amount for each, amount in amounts.items() if amount or each == "num_cpus"},
        user_config=stages.live(settings),
        max_ongoing_requests=ONGOING,
        health_check_period_s=HEALTH_SECONDS,
        health_check_timeout_s=settings.processes.health_seconds,
        logging_config={"enable_access_log": False, "log_level": "ERROR"},
    )(process)
    given = stages.given(settings, name)
    return stages.with_version(deployment.options(**options), stages.version(given)).bind(given, *next_)
