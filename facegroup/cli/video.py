"""Command `facegroup video`: who appears in a video, and when. It needs no server."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from facegroup.cli.options import Network, Store
from facegroup.cli.output import bar
from facegroup.errors import MalformedRequest
from facegroup.settings import load


def add_commands(app: typer.Typer) -> None:
    """Add the command to a Typer app."""
    app.command()(video)


def video(
    file: Annotated[Path, typer.Argument(help="a video that FFmpeg can read")],
    gallery: Annotated[str | None, typer.Option(help="gallery whose members are recognised")] = None,
    fps: Annotated[float, typer.Option(min=0.1, max=30, help="frames analysed a second of the video, at most")] = 5,
    confirm: Annotated[int, typer.Option(min=1, help="frames that must agree before a face is named")] = 2,
    cooldown: Annotated[float, typer.Option(min=0.1, help="seconds without a detection before the visit ends")] = 2,
    min_face_size: Annotated[int | None, typer.Option(min=12, help="smallest face to detect, in pixels")] = None,
    csv: Annotated[Path | None, typer.Option(help="file to write the sightings to, as CSV")] = None,
    vtt: Annotated[Path | None, typer.Option(help="file to write subtitles to, as WebVTT")] = None,
    annotated: Annotated[
        Path | None, typer.Option("--annotate", help="file to write a copy to, with boxes and names, without sound")
    ] = None,
    network: Network = None,
    store: Store = None,
    as_json: Annotated[bool, typer.Option("--json", help="the report alone on standard output, for programs")] = False,
) -> None:
    """Report who appears in a video, and when. Of a damaged file, report what can be read and exit with status 1."""
    from facegroup.cameras.video import annotated_copy, files, subtitles
    from facegroup.cameras.video import reader as videos
    from facegroup.cameras.video.viewing import VideoAnalysis, camera, report
    from facegroup.recognizer import Recognizer

    _check(file, [csv, vtt, annotated])
    settings = load(gallery=gallery, network=network, store=store)
    with Recognizer(settings, "cli") as recognizer:
        about = recognizer.store.gallery(settings.gallery)
        threshold = about.threshold if about.decision == "cosine" else recognizer.spec.threshold
        wanted = camera(file, settings.gallery, fps, cooldown, confirm, min_face_size)
        with VideoAnalysis(wanted, recognizer.spec.name, threshold, settings.cameras) as analysis:
            with bar("detecting faces", files.length(file)) as progress:
                problem = videos.analyse(analysis, wanted, recognizer, progress.reach)
            result = report(file.name, analysis, analysis.finish(), settings.gallery, recognizer.spec.name)
            if annotated is not None:
                with bar("drawing", result["video"]["seconds"]) as progress:
                    annotated_copy.annotate(file, analysis, annotated, progress.reach)
    if csv is not None:
        csv.write_text(subtitles.as_csv(result), encoding="utf-8", newline="")
    if vtt is not None:
        vtt.write_text(subtitles.as_vtt(result), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        for each in result["sightings"]:
            similarity = "" if each["similarity"] is None else f", similarity {each['similarity']:.3f}"
            moments = f"{each['first_seen']:8.1f} s – {each['last_seen']:.1f} s"
            typer.echo(f"{moments}  {each['name']} ({each['frames']} frames{similarity})")
        if not result["sightings"]:
            typer.echo("nobody")
    if problem is not None:
        typer.echo(f"facegroup: {problem.detail} ({problem.code})", err=True)
        raise typer.Exit(1)


def _check(file: Path, targets: Sequence[Path | None]) -> None:
    """Raise MalformedRequest if a path cannot be used."""
    if not file.exists() and (part := file.parts[0]).endswith(":") and len(part) > 2:  # rtsp://user:password@host
        raise MalformedRequest("this is an address, not a file; use `facegroup camera add` for addresses")
    if not file.is_file():
        raise MalformedRequest(f"{file} is not a file")
    for target in targets:
        if target is None:
            continue
        if not target.absolute().parent.is_dir():
            raise MalformedRequest(f"{target} cannot be written: {target.absolute().parent} is not a folder")
        if target.is_dir():
            raise MalformedRequest(f"{target} cannot be written: it is a folder")
        if target.exists() and target.samefile(file):
            raise MalformedRequest(f"{target} is the video itself")
