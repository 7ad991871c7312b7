"""All commands of `facegroup`: the library's are added to serve and demo."""

from facegroup.cli import app as library
from serve.commands import app

library.add_commands(app)

__all__ = ["app"]
