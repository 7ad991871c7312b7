"""Settings that a running process takes on, without a restart: Serve calls `reconfigure` with them."""

import logging
from collections.abc import Mapping
from typing import Any

from facegroup.settings import Settings


def taken_on(settings: Settings, live: Mapping[str, Any]) -> Settings:
    """Return the settings with those that may change, and log at their level from now on.

    Args:
        settings: settings that the process was started with.
        live: threshold, log_level and candidates (`serve.stages.live`).
    """
    matcher = settings.matcher.model_copy(update={"candidates": live["candidates"]})
    logging.getLogger("facegroup").setLevel(live["log_level"].upper())
    return settings.model_copy(
        update={"threshold": live["threshold"], "log_level": live["log_level"], "matcher": matcher}
    )
