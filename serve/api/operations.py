"""Routes for operators: is it alive, is it ready, what does it count, how is it used."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from facegroup.errors import ServiceError
from serve.api.context import Server

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Is the process alive?")
async def alive() -> dict[str, str]:
    """Answer; nothing else is looked at."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can it answer?", responses={503: {"description": "a stage or the store is away"}})
async def ready(server: Server) -> JSONResponse:
    """Ask every stage what it runs: the network in use, its engine and device, the detector's, the store's state."""
    try:
        about = await server.pipeline.about()
    except ServiceError as error:
        return JSONResponse({"status": "starting", "detail": error.detail, "network": server.spec.name}, 503)
    healthy = about["store"] == "ok"
    return JSONResponse({"status": "ready" if healthy else "degraded", **about}, 200 if healthy else 503)


@router.get("/metrics", summary="Counters for Prometheus", response_class=Response)
async def metrics(server: Server) -> Response:
    """Return the counters of this machine in Prometheus' text format."""
    return Response(await server.pipeline.metrics(), media_type="text/plain; version=0.0.4")


def add_docs(app: FastAPI) -> None:
    """Serve the OpenAPI page at /docs from the installed package: it works without the internet."""
    import swagger_ui_bundle

    package = Path(swagger_ui_bundle.__file__).parent
    folder = next(path.parent for path in sorted(package.rglob("swagger-ui-bundle.js")))
    app.mount("/docs/assets", StaticFiles(directory=folder))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="facegroup API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon-32x32.png",
        )


def page(app: FastAPI, folder: Path) -> None:
    """Serve the web page at /, below all routes: as a mount it would answer for every wrong method and path of theirs."""
    files, nothing = StaticFiles(directory=folder, html=True), app.router.default

    async def page_or_nothing(scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        await (files if reads else nothing)(scope, receive, send)

    app.router.default = page_or_nothing
