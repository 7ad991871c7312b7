"""The settings of a gallery: how they are checked and kept, and what the audit log says of a change."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from facegroup.errors import Conflict, MalformedRequest, NetworkMismatch
from facegroup.store.audit import Event
from facegroup.store.contract import Changes
from facegroup.types import Calibration, DecisionRule, Gallery, LivenessPolicy, Policy

_CHOICES: Mapping[str, tuple[str, Any]] = {
    "quality": ("quality policy", Policy),
    "probe_quality": ("quality policy", Policy),
    "decision": ("decision rule", DecisionRule),
    "liveness": ("liveness policy", LivenessPolicy),
}
"""Settings that are one word of several: what the word is called, and the words."""
_DETECTOR = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,100}")
_FINGERPRINT = re.compile(r"(?:[0-9a-f]{64})?")


def columns(changes: Changes) -> dict[str, str | float]:
    """Return the columns that changing a gallery sets, as they are kept. Raises `MalformedRequest`."""
    found: dict[str, str | float] = {}
    if (threshold := changes.get("threshold")) is not None:
        found["threshold"] = check_threshold(threshold)
    for name, switch in (("keep_crops", changes.get("keep_crops")), ("unique", changes.get("unique"))):
        if switch is not None:
            found[name] = int(switch)
    for name in _CHOICES:
        if (choice := changes.get(name)) is not None:
            found[name] = _check_choice(name, choice)
    if (detector := changes.get("detector")) is not None:
        found["detector"] = check_detector(detector)
    if (fingerprint := changes.get("fingerprint")) is not None:
        found["fingerprint"] = check_fingerprint(fingerprint)
    if (calibration := changes.get("calibration")) is not None:
        found["calibration"] = write_calibration(check_calibration(calibration))
    return found


def check_meant(network: str, decision: str, changes: Changes) -> None:
    """Refuse a threshold or a calibration that is not of the gallery's network, or of the decision that it has or gets.

    Raises:
        NetworkMismatch: it is of another network.
        Conflict: the calibration is of another decision.
    """
    made, meant = changes.get("calibration"), changes.get("network")
    if meant not in (None, network):
        raise NetworkMismatch(f"the gallery is of {network} since facegroup migrate, and the threshold of {meant}")
    if made is None:
        return
    if made.network != network:
        raise NetworkMismatch(
            f"the gallery is of {network} since facegroup migrate, and the calibration of {made.network}"
        )
    decision = changes.get("decision") or decision
    if made.decision != decision:
        raise Conflict(
            f'The calibration is of the decision "{made.decision}", and the gallery has the decision "{decision}". '
            "Calibrate the gallery again."
        )


def event(columns: Mapping[str, str | float]) -> Event:
    """Return what the audit log says of a change: the settings that were set, and of a calibration the threshold."""
    given = {name: value for name, value in columns.items() if name != "calibration"}
    given |= {name: bool(given[name]) for name in ("keep_crops", "unique") if name in given}
    return Event("calibrated" if "calibration" in columns else "changed", None, given)


def check_threshold(threshold: float) -> float:
    """Return `threshold`, a number in -1..1. Raises `MalformedRequest`."""
    if not -1 <= threshold <= 1:  # NaN is not, either
        raise MalformedRequest("a threshold must be a number in -1..1")
    return float(threshold)


def unpinned(gallery: Gallery, detector: str, fingerprint: str) -> dict[str, str | float]:
    """Return the columns that pinning a gallery sets: of those given, the ones that it is not pinned to yet."""
    changes: Changes = {"detector": detector, "fingerprint": fingerprint}
    return {name: value for name, value in columns(changes).items() if value and not getattr(gallery, name)}


def check_settings(gallery: Gallery) -> None:
    """Raise `MalformedRequest` if a policy, the decision rule, the detector or the fingerprint of a gallery is none."""
    for name in _CHOICES:
        _check_choice(name, getattr(gallery, name))
    check_detector(gallery.detector)
    check_fingerprint(gallery.fingerprint)


def check_detector(name: object) -> str:
    """Return the name of a detector, or "" for none. Raises `MalformedRequest`."""
    if not isinstance(name, str) or _DETECTOR.fullmatch(name) is None:
        raise MalformedRequest("A detector's name has at most 100 characters, and no control characters.")
    return name


def check_fingerprint(digits: object) -> str:
    """Return a network's fingerprint, or "" for none. Raises `MalformedRequest`."""
    if not isinstance(digits, str) or _FINGERPRINT.fullmatch(digits) is None:
        raise MalformedRequest("A network's fingerprint is a sha256, 64 hexadecimal digits.")
    return digits


def _check_choice(name: str, choice: object) -> str:
    called, kind = _CHOICES[name]
    if not isinstance(choice, str) or choice not in get_args(kind):
        raise MalformedRequest(f"a {called} is one of {', '.join(get_args(kind))}")
    return choice


def check_calibration(calibration: Calibration) -> Calibration:
    """Return `calibration`. Raises `MalformedRequest` where a number of it cannot be, or its curve does not rise."""
    check_threshold(calibration.threshold)
    if not all(0 <= each <= 1 for each in _rates(calibration)) or not math.isfinite(calibration.at):
        raise MalformedRequest("the rates of a calibration are numbers in 0..1")
    check_detector(calibration.detector)
    _check_choice("decision", calibration.decision)
    for curve in (calibration.curve, calibration.one_to_one):
        places = [similarity for similarity, _ in curve]
        if not all(-1 <= each <= 1 for each in places) or places != sorted(places):
            raise MalformedRequest("The similarities of a calibration's curve must rise, within -1..1.")
    return calibration


def write_calibration(calibration: Calibration | None) -> str:
    """Return a calibration as JSON, `""` for none."""
    return "" if calibration is None else json.dumps(asdict(calibration), separators=(",", ":"))


def read_calibration(text: str | bytes | None) -> Calibration | None:
    """Return the calibration that `write_calibration` wrote. Raises `MalformedRequest` for what is none."""
    if not text:
        return None
    try:
        return check_calibration(_adapter().validate_json(text))
    except ValidationError as error:
        raise MalformedRequest("This is not a calibration written by facegroup.") from error


@cache
def _adapter() -> TypeAdapter[Calibration]:
    return TypeAdapter(Calibration)


def _rates(calibration: Calibration) -> Iterator[float]:
    yield from (calibration.fpir, *calibration.fpir_interval, *(calibration.tpir_interval or ()))
    yield from () if calibration.tpir is None else (calibration.tpir,)
    yield from (rate for _, rate in (*calibration.curve, *calibration.one_to_one))
