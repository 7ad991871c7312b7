"""Routes for operators: is it alive, is it ready, what does it count, how is it used."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from facegroup.errors import ServiceError, StageUnavailable
from serve.api import access, documented
from serve.api.access import CheckedRoute
from serve.api.context import Server
from serve.haproxy_config import HEADER

router = APIRouter(tags=["operations"], responses=documented.before(), route_class=CheckedRoute)

_HEALTH_SECONDS = 10.0
_RAY = "Return Ray's own metrics instead, of this machine."
_PROBLEM = documented.before()[503]["content"]
_CHECKED = documented.before(checked=True)
_AWAY: documented.Responses = {
    503: {"description": "a stage or the store is away", "content": {"application/json": {}, **_PROBLEM}}
}


@router.get("/healthz", summary="Do the server's processes work together?")
async def alive(server: Server) -> dict[str, str]:
    """Ask every stage for an answer, through the same calls that photos take. The store is not asked."""
    try:
        async with asyncio.timeout(_HEALTH_SECONDS):
            await server.pipeline.alive()
    except TimeoutError:
        raise StageUnavailable("the processes of the server do not answer each other") from None
    return {"status": "ok"}


@router.get("/readyz", summary="Can it answer?", responses=_AWAY)
async def ready(request: Request, server: Server) -> JSONResponse:
    """Ask every stage what it runs: the network in use, its engine and device, the detector's, the store's state.

    A caller without a key is told the status only, unless the server is open.
    """
    instance = {HEADER: server.settings.instance}
    who = await access.told(request)
    told = bool(who.scopes)
    try:
        about = await server.pipeline.about()
    except ServiceError as error:
        more = {"detail": error.detail, "network": server.spec.name} if told else {}
        return JSONResponse({"status": "starting", **more}, 503, instance)
    healthy = about["store"] == "ok"
    if "compared" in about:
        about["compared"] = {name: way for name, way in about["compared"].items() if who.grant.covers(name)}
    more = about if told else {}
    return JSONResponse({"status": "ready" if healthy else "degraded", **more}, 200 if healthy else 503, instance)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response, responses=_CHECKED)
async def metrics(server: Server, ray: Annotated[bool, Query(description=_RAY)] = False) -> Response:
    """Return the metrics of all of the server's processes, on all machines, in Prometheus' text format."""
    text = await (server.pipeline.scraped_from_ray() if ray else server.pipeline.scraped())
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
