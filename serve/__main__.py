"""The server of `facegroup serve`, in a process that has imported only what it needs; its settings are in the environment.

The command line becomes this process when it has checked what it can: its own imports would stay as long as the server runs.
"""

import sys
from contextlib import suppress

from deployments.logs import configure
from facegroup.errors import FacegroupError, SetupError
from facegroup.settings import load
from serve.launch import running, until_stopped


def main() -> None:
    """Run until asked to end; an error that facegroup knows becomes one line."""
    try:
        settings = load()
        configure(settings)
        # Being asked to end is no failure, whether it was up already or not.
        with suppress(KeyboardInterrupt), running(settings) as url:
            _say(f"ready: {url}  (page), {url}/docs, {url}/metrics; Ctrl-C stops it")
            until_stopped()
            _say("stopping")
    except FacegroupError as error:
        _say(f"facegroup: {error.detail} ({error.code})")
        sys.exit(2 if isinstance(error, SetupError) else 1)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
