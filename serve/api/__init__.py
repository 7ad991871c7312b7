"""The HTTP API: routes over a `Pipeline`. Nothing here knows what is behind it, and nothing behind it knows HTTP."""

from importlib.metadata import version
from weakref import WeakSet

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry

from facegroup.access.checker import Checker, open_checker
from facegroup.access.comparing import PasswordWork
from facegroup.access.oidc import open_provider
from facegroup.access.rates import open_rates
from facegroup.access.sign_in import SignIn
from facegroup.networks.registry import spec
from facegroup.pipeline import detector_file
from facegroup.settings import Settings
from serve.api import (
    access,
    audit,
    calibration,
    cameras,
    cohort,
    counter_examples,
    documented,
    galleries,
    keys,
    operations,
    pages,
    parameters,
    people,
    problems,
    provider,
    recognition,
    sessions,
    sightings,
    signing,
    strangers,
    users,
    videos,
    webhooks,
)
from serve.api.auditing import Auditor
from serve.api.body_memory import BodyMemory
from serve.api.context import Context
from serve.api.draining import Drain, Draining
from serve.api.encodings import Encodings
from serve.api.forwarded import Forwarded
from serve.api.http_metrics import HttpMetrics
from serve.api.limits import Guard
from serve.api.origins import Origins
from serve.api.paths import Paths
from serve.api.pipeline import Pipeline
from serve.api.requirements import OF_PHOTOS, V1
from serve.security_headers import SecurityHeaders

DESCRIPTION = """Photos go in, names come out: every face is answered with a member's name or `not in the dataset`.

Errors are RFC 9457 `application/problem+json` with a stable `code`; every answer carries `x-request-id`."""

_SHARED = "cross-origin-resource-policy"


def build_api(
    settings: Settings,
    pipeline: Pipeline,
    checker: Checker | None = None,
    registry: CollectorRegistry | None = None,
) -> FastAPI:
    """Return the ASGI app that answers for a pipeline.

    Args:
        settings: of the server.
        pipeline: what answers.
        checker: knows who may ask; None: by the keys beside the store.
        registry: where the metrics of requests are made; None: they are not told.
    """
    app = FastAPI(
        title="facegroup",
        version=version("facegroup"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        license_info={"name": "Apache-2.0"},
    )
    app.state.context = Context(pipeline, settings, spec(settings.network, settings), detector_file.name(settings))
    problems.install(app)
    app.state.checker = checker or open_checker(settings)
    app.state.rates = open_rates(settings)
    app.state.passwords = PasswordWork()
    app.state.provider = open_provider(settings.oidc)
    app.state.sign_in = SignIn(app.state.checker, app.state.passwords, settings.access.session_hours * 3600)
    app.state.streams = WeakSet()
    app.state.auditor = Auditor(pipeline)
    of_galleries = (recognition, galleries, calibration, people, counter_examples, cohort, audit)
    of_cameras, of_access = (cameras, strangers, sightings, webhooks, videos), (keys, users, sessions, signing)
    routers = [each.router for each in (*of_galleries, *of_cameras, *of_access)]
    for router in routers:
        app.include_router(router, prefix=V1, dependencies=[Depends(parameters.known)])
    # What a provider sends along is its own business.
    app.include_router(provider.router, prefix=V1)
    app.include_router(operations.router)
    pages.add_docs(app)
    access.check(
        route for router in (*routers, provider.router, operations.router, app.router) for route in router.routes
    )
    pages.add_page(app)
    documented.install(app, closed=app.state.checker.mode == "keys")
    app.add_middleware(Encodings)
    room = BodyMemory(settings.ingress.queue_bytes)
    app.add_middleware(Guard, limits=settings.limits, has_room=pipeline.has_room, room=room)
    app.state.drain = Drain()
    app.add_middleware(Draining, drain=app.state.drain)
    app.add_middleware(Origins, settings=settings)
    app.add_middleware(HttpMetrics, registry=registry or CollectorRegistry(), timed=OF_PHOTOS)
    app.add_middleware(Paths)
    app.add_middleware(Forwarded, settings=settings)
    # Pages of other origins that are named may show pictures of this server.
    app.add_middleware(SecurityHeaders, changed={_SHARED: "cross-origin"} if settings.cors_origins else {})
    return app
