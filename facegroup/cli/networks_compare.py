"""The command `networks compare`: which network serves one's own people best."""

from pathlib import Path
from typing import Annotated

import typer

from facegroup.cli.measuring import Told, check, each, interruptible, say, wanted_of
from facegroup.settings import Settings


def add_commands(networks: typer.Typer) -> None:
    """Add the command to the commands on networks."""
    networks.command()(compare)


def compare(
    networks: Annotated[list[str], typer.Argument(help="names, or YAML files, of the networks")],
    photos: Annotated[Path, typer.Option(help="your people: a folder for each")],
    strangers: Annotated[
        Path | None,
        typer.Option(help="photos of strangers, or a folder for each [default: people with too few photos to enrol]"),
    ] = None,
    enrol: Annotated[int, typer.Option(min=1, help="photos of each member")] = 3,
    splits: Annotated[int, typer.Option(min=1, max=1000, help="how often the photos are split anew")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="of the first split")] = 0,
    sheet: Annotated[Path | None, typer.Option("--report", help="HTML file to write, with the plot")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the figures alone on standard output")] = False,
) -> None:
    """Compare networks on your own people: TPIR at FPIR 1 %, FPIR by tenths of commonness, CPU ms a face."""
    from facegroup.evaluation import network_comparison, openset_data

    with interruptible():
        check(sheet)
        listed = openset_data.listing(photos, strangers)
        total = sum(len(files) for files in (*listed.people.values(), *(listed.strangers or {}).values()))

        def run(settings: Settings, told: Told) -> network_comparison.Compared:
            data = openset_data.read(listed, settings, enrol, told)
            return network_comparison.measure(data, settings, enrol, splits, seed)

        found, not_run = each(wanted_of(networks, None), total, run)
        subject = {"Folder": str(photos), **({} if strangers is None else {"Strangers": str(strangers)})}
        say(network_comparison.report(found, subject, enrol, seed, not_run, drawn=sheet is not None), sheet, as_json)
