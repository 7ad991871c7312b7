"""The server as one Ray Serve application.

    client ─HTTP→ Ingress ──photos──→ Detector ──crops──→ Embedder ──descriptors──→ GalleryActor ──→ store
                  JPEG bytes      ↗   JPEG → faces        CPU or GPU                centroids, threshold
    CameraActor ─frames→ Cameras ─

Every arrow carries a batch; answers come back along it. `serve run serve.app:build network=…`, a YAML file of
`serve deploy`, and `facegroup serve` all build it here, from the same settings.
"""

import logging
import os

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
from facegroup.settings import Settings
from serve import start_rules
from serve.haproxy_config import SECRET
from serve.ingress import Ingress

log = logging.getLogger("facegroup.serve")

ONGOING = 1000
"""Maximum calls under way per replica: our own queues are bounded, and Ray's default of 5 would cap every batch."""

HEALTH_SECONDS = 0.5
"""How often Ray checks that a replica lives, and so how soon it replaces a dead one. Ray's default is 10."""

FOR_EVER = 1e9
"""Seconds after which an idle process ends: cameras are read even if nobody asks."""


def build(settings: Settings) -> Application:
    """Wire the stages together for `serve deploy` and `serve run`, which listen where Ray is told to: keys are asked for."""
    configure(settings)
    start_rules.check_shared(settings, one_store.count_nodes(), named=SECRET in os.environ)
    return application(start_rules.checked(settings, log.warning, everywhere=True))


def application(settings: Settings) -> Application:
    """Wire the stages together."""
    gallery = _deploy(GalleryActor, settings.matcher.replicas, num_cpus=settings.matcher.num_cpus).bind(settings)
    embedder = _deploy(
        Embedder, settings.embedder.replicas, num_cpus=settings.embedder.num_cpus, num_gpus=settings.embedder.num_gpus
    ).bind(settings, gallery)
    detector = _deploy(
        Detector, settings.detector.replicas, num_cpus=settings.detector.num_cpus, num_gpus=settings.detector.num_gpus
    ).bind(settings, embedder)
    ingress = _deploy(Ingress, settings.ingress.replicas, num_cpus=settings.ingress.num_cpus)
    if not settings.cameras.enabled:
        return ingress.bind(settings, detector, embedder, gallery)
    cameras = _deploy(Cameras, _once(settings), num_cpus=settings.cameras.num_cpus).bind(settings, detector, gallery)
    return ingress.bind(settings, detector, embedder, gallery, cameras)


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


def _deploy(process: type, replicas: int | AutoscalingConfig, **resources: float) -> ray.serve.Deployment:
    scale = {"num_replicas": replicas} if isinstance(replicas, int) else {"autoscaling_config": replicas}
    return ray.serve.deployment(
        **scale,
        ray_actor_options={name: amount for name, amount in resources.items() if amount or name == "num_cpus"},
        max_ongoing_requests=ONGOING,
        health_check_period_s=HEALTH_SECONDS,
        logging_config={"enable_access_log": False, "log_level": "ERROR"},
    )(process)
