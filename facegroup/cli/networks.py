"""The command `models`: the networks, and which of them are ready on this machine."""

import json

import typer
from rich.table import Table

from facegroup.cli.options import AsJson
from facegroup.cli.output import show_table
from facegroup.settings import load


def add_commands(app: typer.Typer) -> None:
    """Add the command to a Typer app."""
    app.command()(models)


def models(as_json: AsJson = False) -> None:
    """List the networks, whether they are ready on this machine, and their licences."""
    from facegroup.networks import quantization, registry, weights

    settings = load()
    cache = settings.cache_dir / "openvino"
    learned, damaged = registry.learned(settings)
    rows = [
        {
            "name": spec.name,
            "ready": weights.ready(spec, settings),
            "used": spec.name == settings.network,
            "dimension": spec.dimension,
            "threshold": spec.threshold,
            "threshold_source": spec.threshold_source,
            "engines": list(spec.engines),
            "int8": quantization.ready(spec, cache),
            "base": spec.base or None,
            "licence": spec.licence,
            "weights": [{"file": file.name, "url": file.url, "bytes": file.bytes} for file in spec.weights],
        }
        for spec in (*registry.SPECS.values(), *learned)
    ]
    for error in damaged:
        typer.echo(f"{error.detail} ({error.code})", err=True)
    if as_json:
        typer.echo(json.dumps({"models": rows}, ensure_ascii=False))
        return
    table = Table("network", "ready", "int8", "d", "threshold", "engines", "licence of the weights", box=None)
    for row in rows:
        name, engines = row["name"], ", ".join(row["engines"])  # type: ignore[arg-type]
        used = f"{name} *" if row["used"] else str(name)
        ready, int8 = ("yes" if row[key] else "no" for key in ("ready", "int8"))
        table.add_row(used, ready, int8, str(row["dimension"]), str(row["threshold"]), engines, str(row["licence"]))
    show_table(table)
    for spec in registry.SPECS.values():
        typer.echo(f"{spec.name}: threshold {spec.threshold}: {spec.threshold_source}")
    typer.echo(f"* chosen by FACEGROUP_NETWORK. Weights are looked for in {settings.model_dir or settings.cache_dir}")
