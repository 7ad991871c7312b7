"""All commands that need no server. Those that work on galleries also take `--server URL`."""

import typer

from facegroup.cli import (
    audit,
    calibrate,
    cameras,
    cohort,
    doctor,
    encryption,
    enroll,
    evaluate,
    finetune,
    galleries,
    keys,
    networks,
    networks_compare,
    people,
    ports,
    recognition,
    sightings,
    transfer,
    users,
    video,
)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to a Typer app, in the order in which `--help` lists them."""
    recognition.add_commands(app)
    people.add_commands(app)
    audit.add_commands(app)
    for part in (
        networks,
        enroll,
        transfer,
        encryption,
        finetune,
        calibrate,
        evaluate,
        galleries,
        cohort,
        keys,
        ports,
        doctor,
        users,
        cameras,
        sightings,
        video,
    ):
        part.add_commands(app)
    networks_compare.add_commands(networks.app)
