"""The command `galleries`: lists galleries and changes their settings, without a network."""

import json
from typing import Annotated, cast

import typer

from facegroup.cli.options import Server, Store
from facegroup.cli.output import opened_store
from facegroup.errors import MalformedRequest
from facegroup.gallery import decision_change
from facegroup.gallery.decision_change import Defaults
from facegroup.networks import registry
from facegroup.settings import Settings, load
from facegroup.store.calls import direct, run, waiting
from facegroup.store.contract import Changes, RemoteStore
from facegroup.store.paging import every
from facegroup.types import DecisionRule, LivenessPolicy, Policy
from facegroup.wire.galleries import GalleryRow


def add_commands(app: typer.Typer) -> None:
    """Add the command to a Typer app."""
    app.command()(galleries)


def galleries(
    gallery: Annotated[str | None, typer.Argument(help="name of the gallery to show or change [default: all]")] = None,
    threshold: Annotated[float | None, typer.Option(min=-1, max=1, help="cosine similarity to exceed")] = None,
    quality: Annotated[Policy | None, typer.Option(help="how good a face must be to be enrolled")] = None,
    probe_quality: Annotated[
        Policy | None, typer.Option(help="how good a face must be to be named, else it is poor_quality")
    ] = None,
    liveness: Annotated[
        LivenessPolicy | None,
        typer.Option(help="where a face must be live: off, enrol, probe or both (docs/liveness.md)"),
    ] = None,
    unique: Annotated[
        bool | None,
        typer.Option(help="whether a person is named at most once in a photo; --no-unique: as often as seen"),
    ] = None,
    keep_crops: Annotated[
        bool | None, typer.Option(help="whether aligned faces are kept; --no-keep-crops erases those kept")
    ] = None,
    decision: Annotated[
        DecisionRule | None,
        typer.Option(help="what the threshold is applied to; cohort: see docs/cohort.md"),
    ] = None,
    server: Server = None,
    store: Store = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document, for programs")] = False,
) -> None:
    """List the galleries, or show one; with a setting, change it. The policies are in docs/quality.md."""
    changes: Changes = {
        "threshold": threshold,
        "quality": quality,
        "probe_quality": probe_quality,
        "liveness": liveness,
        "unique": unique,
        "keep_crops": keep_crops,
        "decision": decision,
    }
    changing = any(value is not None for value in changes.values())
    if changing and gallery is None:
        raise MalformedRequest("name the gallery to change: facegroup galleries NAME --quality standard")
    settings = load(store=store)
    with opened_store(server, settings) as kept:
        if gallery is None:
            found = list(every(kept.galleries, lambda each: each.name))
        elif not changing:
            found = [kept.gallery(gallery)]
        elif server is not None or decision is None:
            found = [kept.update_gallery(gallery, **changes)]
        else:
            network = kept.gallery(gallery).network
            # With a threshold no default is needed, and the network need not be known here.
            defaults = _defaults(network, settings) if threshold is None else Defaults(network, threshold, threshold)
            here = cast("RemoteStore", kept)  # no server: it is this machine's own store
            found = [run(decision_change.change(waiting(direct(here)), gallery, changes, defaults))]
    if decision is not None and threshold is None:
        typer.echo(f"the decision is {found[0].decision}, at a threshold of {found[0].threshold:g}", err=True)
    if as_json:
        typer.echo(
            json.dumps({"galleries": [GalleryRow.from_struct(each).as_json() for each in found]}, ensure_ascii=False)
        )
        return
    for each in found:
        typer.echo(
            f"{each.name}: {each.people} people, {each.network}, threshold {each.threshold:g}, "
            f"crops {'kept' if each.keep_crops else 'not kept'}, "
            f"quality {each.quality}, probe quality {each.probe_quality}{'' if each.unique else ', not unique'}"
            f"{'' if each.decision == 'cosine' else f', decision {each.decision}'}"
            f"{'' if each.liveness == 'off' else f', liveness {each.liveness}'}"
        )


def _defaults(network: str, settings: Settings) -> Defaults:
    """Return the default thresholds of a network; the settings' own threshold is one of the settings' network."""
    spec, own = registry.spec(network, settings), settings.threshold
    if own is not None and registry.spec(settings.network, settings).name != spec.name:
        own = None
    return Defaults.of(spec, own)
