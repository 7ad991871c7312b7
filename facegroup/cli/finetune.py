"""The command `finetune`: learns a projection of a network on your own people, without a server."""

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from facegroup.cli.options import Store
from facegroup.cli.output import bar
from facegroup.errors import MalformedRequest
from facegroup.networks import projection, registry
from facegroup.settings import Settings, load

Told = Callable[[str], None]


def add_commands(app: typer.Typer) -> None:
    """Add the command to a Typer app."""
    app.command()(finetune)


def finetune(
    group: Annotated[str, typer.Argument(help="a folder that holds one folder per person, or the name of a gallery")],
    name: Annotated[str, typer.Option(help="the network will be called BASE+NAME")],
    dimension: Annotated[int | None, typer.Option(help="length of a descriptor [default: by network]")] = None,
    force: Annotated[bool, typer.Option("--force", help="install it even if it does not help")] = False,
    seed: Annotated[int, typer.Option(min=0, help="seed of all random choices, such as who is learned from")] = 0,
    report: Annotated[Path | None, typer.Option(help="file to write the whole report to, as JSON")] = None,
    network: Annotated[str | None, typer.Option(help="base network for a folder; a gallery has its own")] = None,
    store: Store = None,
    as_json: Annotated[bool, typer.Option("--json", help="the report alone on standard output, for programs")] = False,
) -> None:
    """Learn a projection of a network on your own people; install it if it finds people better that it never saw.

    Ends with status 1 if nothing was installed.
    """
    from facegroup.finetuning import group as groups
    from facegroup.finetuning import run
    from facegroup.networks.projected_engine import fingerprint

    settings = load(network=network, store=store)
    if report is not None and not report.parent.is_dir():
        raise MalformedRequest(f"{report} cannot be written: {report.parent} is not a folder")
    if Path(group).is_dir():  # before the minutes of embedding, too
        groups.check_base(settings.network)
        projection.check_free(projection.full_name(settings.network, name), settings)
        run.dimension_of(registry.spec(settings.network, settings), dimension)
    with bar() as progress:
        found = _group(group, network, settings, progress.say)
        base = registry.spec(found.network, settings)
        full = projection.full_name(base.name, name)
        projection.check_free(full, settings)
        wanted = run.dimension_of(base, dimension)
        digest = fingerprint(base, settings)  # before the minutes of learning
        done = run.finetuned(
            found, wanted, seed, lambda what, epoch: progress.say(f"learning by {what}, epoch {epoch}")
        )
    installs = done.judgement.helps or force
    why = _why(done.report, installs)
    manifest = {"network": full, **done.report, "base_sha256": digest, "forced": force and not done.judgement.helps,
                "threshold": done.judgement.threshold, "threshold_source": _source(done.report)}  # fmt: skip
    place = projection.write(done.learned.matrix, manifest, settings) if installs else None
    told = {**manifest, "installed": None if place is None else str(place), "why": why}
    if report is not None:
        _write(report, told)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        _show(done.report)
        typer.echo(f"{full}: {why}")
    raise typer.Exit(int(place is None))


def _group(group: str, network: str | None, settings: Settings, tell: Told) -> Any:
    from facegroup.finetuning import group as groups
    from facegroup.store import open_store
    from facegroup.store.audit import Retention
    from facegroup.store.secret_key import secret_keys

    if Path(group).is_dir():
        return groups.of_folder(Path(group), settings, lambda count: tell(f"embedding, {count} photos"))
    with closing(open_store(settings.store, "cli", secret_keys(settings), keep=Retention.of(settings.audit))) as place:
        found = groups.of_gallery(place, group, lambda count: tell(f"reading, {count} people"))
    if network not in (None, found.network):
        raise MalformedRequest(f'the gallery "{group}" uses {found.network}; leave --network out')
    return found


def _why(report: dict[str, Any], installs: bool) -> str:
    judgement = report["judgement"]
    best = report["learning"]["triplet"]["best_epoch"]
    (row,) = [each for each in judgement["rows"]
              if (each["method"], each["fpir"]) == ("triplet", judgement["deciding"])]  # fmt: skip
    gain = row["gain"]
    figure = (
        f"on {judgement['people']} people and {judgement['strangers']} strangers it never saw, TPIR at FPIR "
        f"{judgement['deciding']:.0%} changes by {gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"
    )
    if judgement["helps"]:
        return f"it helps: {figure}; installed"
    if judgement["too_few"]:
        said = f"too few people to know whether it helps: {figure}"
    elif best == 0:
        said = f"it does not help: no epoch found the people to stop by better than the base did; {figure}"
    else:
        said = f"it does not help: {figure}"
    return f"{said}; {'installed all the same, as --force says' if installs else 'not installed (see --force)'}"


def _source(report: dict[str, Any]) -> str:
    judgement = report["judgement"]
    return (
        f"FPIR {judgement['deciding']:.0%} on {judgement['people']} people, one photo of each enrolled, and "
        f"{judgement['strangers']} strangers, whom it was not learned from"
    )


def _show(report: dict[str, Any]) -> None:
    counts = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in report["group"].items())
    typer.echo(f"the group: {counts}")
    for name, used in report["used"].items():
        typer.echo(f"to {name}: {', '.join(f'{count} {what}' for what, count in used.items())}")
    for name, learned in report["learning"].items():
        tpirs = " ".join(f"{epoch['tpir']:.3f}" for epoch in learned["epochs"])
        typer.echo(f"{name}: TPIR of the people to stop by, from the start on: {tpirs}; taken: {learned['best_epoch']}")
    rows = report["judgement"]["rows"]
    heads = dict.fromkeys(f"FPIR {row['fpir']:.1%}" for row in rows)
    typer.echo(_line("TPIR", heads))
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name]
        typer.echo(_line(name, [_cell(row["tpir"], "") for row in own]))
        if name != "base":
            typer.echo(_line("  gain", [_cell(row["gain"], "+") for row in own]))


def _line(name: str, cells: Iterable[str]) -> str:
    return f"{name:9}" + "".join(f"  {cell:26}" for cell in cells).rstrip()


def _cell(figure: dict[str, float], sign: str) -> str:
    return "{value:{0}.3f} ({low:{0}.3f} to {high:{0}.3f})".format(sign, **figure)


def _write(path: Path, report: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise MalformedRequest(f"{path} cannot be written: {error.strerror}") from error
