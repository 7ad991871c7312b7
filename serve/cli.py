"""All commands of `facegroup`: the library's are added to serve and demo."""

from facegroup import cli
from serve.commands import app

cli.add_commands(app)

__all__ = ["app"]
