"""Commands on networks: `facegroup networks [add | rm]`, and `models`, the older name of the list."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from facegroup.cli.options import AsJson
from facegroup.cli.output import show_log, show_table
from facegroup.errors import FacegroupError
from facegroup.settings import Settings, load

app = typer.Typer(
    name="networks",
    help="The networks that turn faces into descriptors, and your own: docs/networks.md.",
    invoke_without_command=True,
)

Templates = Annotated[
    str, typer.Option("--template", help="how faces are cut out: arcface112, facenet160, box224 … (docs/networks.md)")
]
Licence = Annotated[str, typer.Option(help="licence of the weights, as their publisher states it")]
Number = Annotated[float | None, typer.Option(help="instead of the template's")]


def add_commands(into: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    into.command(hidden=True)(models)
    into.add_typer(app)


def models(as_json: AsJson = False) -> None:
    """List the networks, whether they are ready on this machine, and their licences."""
    _list(load(), as_json)


@app.callback()
def networks(context: typer.Context, as_json: AsJson = False) -> None:
    """List the networks, or add and remove your own."""
    if context.invoked_subcommand is None:
        _list(load(), as_json)


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="the ONNX file, or an OpenVINO .xml with its .bin beside it")],
    template: Templates,
    licence: Licence,
    name: Annotated[str | None, typer.Option(help="name in galleries and answers [default: that of the file]")] = None,
    dimension: Annotated[int | None, typer.Option(help="of its descriptors [default: what the file says]")] = None,
    threshold: Annotated[float | None, typer.Option(min=-1, max=1, help="[default: the template's guess]")] = None,
    size: Annotated[int | None, typer.Option(help="side of the crop in pixels [default: the template's]")] = None,
    channels: Annotated[str | None, typer.Option(help="RGB or BGR [default: the template's]")] = None,
    mean: Number = None,
    scale: Number = None,
    margin: Number = None,
    link: Annotated[bool, typer.Option("--link", help="link to the files instead of copying them")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a network of your own, after trying it on drawn faces. Choose it then with FACEGROUP_NETWORK=NAME."""
    from facegroup.networks import adding

    settings = load()
    show_log(settings)
    given = {"dimension": dimension, "threshold": threshold, "size": size, "channels": channels}
    given |= {"mean": mean, "scale": scale, "margin": margin}
    spec, path = adding.add(
        file, template, licence, name, {k: v for k, v in given.items() if v is not None}, settings, link=link
    )
    if as_json:
        typer.echo(json.dumps({"name": spec.name, "file": str(path)}, ensure_ascii=False))
        return
    typer.echo(f"added {spec.name}: {path}")
    typer.echo(f"threshold {spec.threshold}: {spec.threshold_source}")
    typer.echo(f"to use it: FACEGROUP_NETWORK={spec.name}")


@app.command("rm")
def remove(name: Annotated[str, typer.Argument(help="name of a network that you added")]) -> None:
    """Remove a network that you added. Galleries made with it stay, and cannot be searched without it."""
    from facegroup.networks import added

    added.remove(name, load())
    typer.echo(f"removed {name}")


def _list(settings: Settings, as_json: bool) -> None:
    from facegroup.networks import description, quantization, registry, weights

    cache = settings.cache_dir / "openvino"
    own, damaged = registry.own(settings)
    learned, unusable = registry.learned(settings)
    specs = {spec.name: spec for spec in (*registry.SPECS.values(), *own, *learned)}
    try:
        used = registry.spec(settings.network, settings)
        specs.setdefault(used.name, used)
    except FacegroupError as error:
        used = replace(next(iter(specs.values())), name="")
        if description.is_path(settings.network):
            typer.echo(f"{error.detail} ({error.code})", err=True)
    rows: list[dict[str, Any]] = [
        {
            "name": spec.name,
            "ready": weights.ready(spec, settings),
            "used": spec.name == used.name,
            "dimension": spec.dimension,
            "threshold": spec.threshold,
            "threshold_source": spec.threshold_source,
            "engines": list(spec.engines),
            "int8": quantization.ready(spec, cache),
            "base": spec.base or None,
            "licence": spec.licence,
            "file": spec.source or None,
            "weights": [{"file": file.name, "url": file.url, "bytes": file.bytes} for file in spec.weights],
        }
        for spec in specs.values()
    ]
    for each in (*damaged, *unusable):
        typer.echo(f"{each.detail} ({each.code})", err=True)
    if as_json:
        typer.echo(json.dumps({"models": rows}, ensure_ascii=False))
        return
    table = Table("network", "ready", "int8", "d", "threshold", "engines", "licence of the weights", box=None)
    for row in rows:
        marked = f"{row['name']} *" if row["used"] else str(row["name"])
        ready, int8 = ("yes" if row[key] else "no" for key in ("ready", "int8"))
        engines = ", ".join(row["engines"])
        table.add_row(marked, ready, int8, str(row["dimension"]), str(row["threshold"]), engines, str(row["licence"]))
    show_table(table)
    for row in rows:
        typer.echo(f"{row['name']}: threshold {row['threshold']}: {row['threshold_source']}")
    typer.echo(f"* chosen by FACEGROUP_NETWORK. Weights are looked for in {settings.model_dir or settings.cache_dir}")
