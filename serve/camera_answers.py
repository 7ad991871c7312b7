"""Cameras, sightings and receivers → what the HTTP API answers, as `camera_schemas.py` describes it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from facegroup.cameras.delivery import payloads
from facegroup.cameras.hub.receivers import WebhookState
from facegroup.cameras.sightings.types import DeadLetter, Sighting, Unknown, Video, Webhook
from facegroup.cameras.sources import address
from facegroup.cameras.types import Camera, Condition


def camera(found: Camera, condition: Condition) -> dict[str, Any]:
    """Return a camera and how it is."""
    source = address.shown(found.source) if found.source else ""
    return {**asdict(found), "source": source, "status": status(condition)}


def status(condition: Condition) -> dict[str, Any]:
    """Return how a camera is."""
    of = condition.status
    kept = ("state", "reason", "detail", "since", "frame_at", "width", "height")
    return {
        **{name: getattr(of, name) for name in kept},
        "source_fps": round(of.source_fps, 2),
        "frames": asdict(of.counts),
        **{name: getattr(condition, name) for name in ("restarts", "shed", "faces", "events")},
        "answered_ms": _latency(condition.answered),
        "noted_ms": _latency(condition.noted),
    }


def sightings(found: Sequence[Sighting], limit: int) -> dict[str, Any]:
    """Return a page of sightings."""
    following = found[-1].cursor if len(found) == limit else None
    return {"sightings": [payloads.sighting(each) for each in found], "next": following}


def stranger(found: Unknown) -> dict[str, Any]:
    """Return a stranger."""
    return _kept(found, "id", "gallery", "visits", "first_seen", "last_seen", "crops")


def webhook(found: Webhook, state: WebhookState, *, secret: bool = False) -> dict[str, Any]:
    """Return a receiver and how it is; its secret in the answer that made it."""
    kept = {"id": found.id, "url": address.shown(found.url) if found.url else "", "cameras": list(found.cameras)}
    shown = {"secret": found.secret} if secret else {}
    return {**kept, "gallery": found.gallery, "created_at": found.created_at, **asdict(state), **shown}


def dead_letters(found: Sequence[DeadLetter], limit: int) -> dict[str, Any]:
    """Return a page of what a receiver would not take."""
    rows = [{"event": payloads.event(each.event), **_kept(each, "at", "attempts", "detail")} for each in found]
    return {"dead_letters": rows, "next": found[-1].event.seq if len(found) == limit else None}


def video(found: Video) -> dict[str, Any]:
    """Return a video's job."""
    return asdict(found)


def _kept(found: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(found, name) for name in names}


def _latency(seconds: tuple[float, float] | None) -> dict[str, float] | None:
    return None if seconds is None else {"p50": round(seconds[0] * 1e3, 1), "p95": round(seconds[1] * 1e3, 1)}
