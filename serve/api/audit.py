"""The route on the audit log: who did what to whom and when, without names and without anything biometric."""

from typing import Annotated

from fastapi import APIRouter, Query

from facegroup.errors import InvalidName, StoreInvalid, StoreUnavailable
from facegroup.store.contract import Store
from facegroup.store.names import clean_name
from facegroup.wire import patterns
from facegroup.wire.galleries import AuditPage
from serve.api import documented
from serve.api.access import CheckedRoute
from serve.api.context import After, Limit, Server

router = APIRouter(prefix="/audit", tags=["operations"], route_class=CheckedRoute)

_PAGE = documented.of(AuditPage, InvalidName, StoreUnavailable, StoreInvalid)


@router.get("", response_model=None, responses=_PAGE, summary="Who did what?")
async def read_audit(
    server: Server,
    gallery: Annotated[
        str,
        Query(
            description="name of the gallery; one that was erased has its log still", json_schema_extra=patterns.NAME
        ),
    ],
    after: After = "",
    limit: Limit = 100,
) -> AuditPage:
    """Return a page of a gallery's audit log, oldest first; `next` is the cursor of the following page, or null."""
    rows = await server.pipeline.ask(Store.audit, clean_name(gallery, "gallery name"), after, limit)
    return AuditPage.of(rows, limit)
