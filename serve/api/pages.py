"""What browsers see: the page at / and the API's own at /docs. Both come whole from this server and load nothing else."""

import importlib.util
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serve.api.access import CheckedRoute

WEB = Path(__file__).parent.parent / "web"

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # asked for again each time, and answered 304: a new version shows at once
}


class Files(StaticFiles):
    """A folder, with the headers of pages."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the answer for one file."""
        answer = await super().get_response(path, scope)
        answer.headers.update(HEADERS)
        return answer


def add_docs(app: FastAPI) -> None:
    """Serve the OpenAPI page at /docs from an installed package: it works without the internet."""
    package = importlib.util.find_spec("fastapi_offline")
    assert package is not None
    assert package.origin is not None
    # Of the package only the files are wanted: it is how Swagger UI 5, which reads OpenAPI 3.1, comes through an index.
    app.mount("/docs/assets", Files(directory=Path(package.origin).parent / "static"))

    app.router.route_class = CheckedRoute

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(WEB / "docs.html", headers=HEADERS)


def add_page(app: FastAPI) -> None:
    """Serve the web page at /, below all routes: as a mount it would answer for every wrong method and path of theirs."""
    files, nothing = Files(directory=WEB, html=True), app.router.default

    async def page_or_nothing(scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        await (files if reads else nothing)(scope, receive, send)

    app.router.default = page_or_nothing
