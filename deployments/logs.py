"""Set up logging of a Ray process: the library's log to standard error, at the level of the settings."""

import logging
import sys

from facegroup.settings import Settings

FORMAT = "%(levelname)s %(name)s: %(message)s"


def configure(settings: Settings) -> None:
    """Send the library's log to standard error, which Ray forwards to the launcher's terminal and to its own files."""
    logger = logging.getLogger("facegroup")
    logger.setLevel(settings.log_level.upper())
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(FORMAT))
        logger.addHandler(handler)
        logger.propagate = False
