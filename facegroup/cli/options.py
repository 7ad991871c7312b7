"""Options of several commands. This module imports nothing else, because a server's start waits for it."""

from typing import Annotated

import typer

Server = Annotated[str | None, typer.Option(help="URL of a server [default: this machine's own store]")]
Gallery = Annotated[str | None, typer.Option(help="name of the gallery [default: FACEGROUP_GALLERY, or 'default']")]
Network = Annotated[
    str | None, typer.Option(help="network of the gallery, a name or a YAML file; see `facegroup networks`")
]
Store = Annotated[str | None, typer.Option(help="sqlite:///path or redis://host:port/0")]
Face = Annotated[
    str | None, typer.Option(help="which face of a photo: its number, from 0, left to right; largest; or dominant")
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on standard output, for programs")]
