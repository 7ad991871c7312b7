"""Deploys the server on a cluster, from its head: `facegroup deploy FILE`, which is `serve deploy` with checks.

Mistakes in the file are told at once, in one line, and the first key is made on this machine.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from facegroup.errors import InvalidSettings, SetupError, StageUnavailable
from facegroup.settings import load
from serve import cluster_token, start_rules
from serve.readiness import APP, raise_refusal
from serve.startup import busy

BUILDER = "serve.app:build"
_HEAD = "http://127.0.0.1:8265"
_POLL_SECONDS = 0.5


def run(file: Path, seconds: float, say: Callable[[str], None]) -> None:
    """Deploy a file, and return when all processes of the server run.

    Args:
        file: as `serve deploy` takes it.
        seconds: how long to wait.
        say: is told in a line what an operator must know.

    Raises:
        InvalidSettings: the file or one of its settings is invalid.
        NoKeys: nobody could use the server.
        SetupError: there is no head on this machine, or a process refuses to start.
        StageUnavailable: a process cannot start, or did not in time.
        StoreNotShared: the store is a file of one machine, or is not named.
    """
    config = _read(file)
    settings = load(**config["applications"][0].get("args") or {})
    start_rules.check_shared(settings, 1)
    cluster_token.token(create=False)
    start_rules.checked(settings, say, everywhere=True)
    client = _client()
    deadline = time.monotonic() + seconds
    _deploy(client, config, deadline)
    while (told := _application(client)).get("status") != "RUNNING":
        stages = told.get("deployments") or {}
        messages = {name: stage["message"].strip() for name, stage in stages.items() if stage.get("message")}
        for message in (told.get("message") or "", *messages.values()):
            raise_refusal(message)
        detail = (
            "; ".join(f"{name}: {message}" for name, message in messages.items()) or told.get("message") or "waiting"
        )
        if told.get("status") == "DEPLOY_FAILED":
            raise StageUnavailable(f"the server cannot start: {detail}")
        if time.monotonic() > deadline:
            raise StageUnavailable(f"not all processes run after {seconds:g} seconds: {detail}")
        time.sleep(_POLL_SECONDS)
    say("deployed: all processes run")


def _read(file: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidSettings(f"{file} cannot be read: {error}") from error
    applications = config.get("applications") if isinstance(config, dict) else None
    if (
        not isinstance(applications, list)
        or len(applications) != 1
        or not isinstance(applications[0], dict)
        or applications[0].get("import_path") != BUILDER
        or not isinstance(applications[0].get("args") or {}, dict)
    ):
        raise InvalidSettings(
            f"{file} should have one application with the import_path {BUILDER}, as serve/cluster.yaml"
        )
    applications[0].setdefault("name", APP)
    return {**config}


def _client() -> Any:
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

    try:
        return ServeSubmissionClient(_HEAD)
    except (ConnectionError, RuntimeError) as error:
        raise SetupError(f"no head of a cluster answers on this machine ({_HEAD}): {error}") from error


def _deploy(client: Any, config: dict[str, Any], deadline: float) -> None:
    """Hand the file to Serve, whose first start may take longer than the minute that the head waits for it."""
    while True:
        try:
            client.deploy_applications(config)
            return
        except RuntimeError as error:
            text = str(error).strip()
            if "status code 5" not in text:
                raise InvalidSettings(f"Ray Serve refuses the file: {text[:500]}") from None
            if time.monotonic() > deadline:
                raise StageUnavailable(f"Ray Serve does not start ({busy()}): {text.splitlines()[-1][:300]}") from None
        time.sleep(_POLL_SECONDS)


def _application(client: Any) -> Mapping[str, Any]:
    told = client.get_serve_details()["applications"]
    return next(iter(told.values()), {}) if APP not in told else told[APP]
