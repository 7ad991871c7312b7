"""The route on the audit log: who did what to whom and when, without names and without anything biometric."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from facegroup.errors import InvalidName, StoreInvalid, StoreUnavailable
from facegroup.store.audit import SERVER, Entry
from facegroup.store.contract import Store
from facegroup.store.names import clean_name
from facegroup.wire import patterns
from facegroup.wire.galleries import AuditEntry, AuditPage
from serve.api import documented
from serve.api.access import CheckedRoute
from serve.api.context import After, Context, Limit, Server

router = APIRouter(prefix="/audit", tags=["operations"], route_class=CheckedRoute)

JSONL = "application/jsonl"
_PAGE = documented.of(AuditPage, InvalidName, StoreUnavailable, StoreInvalid)
_PAGE[200] = {**_PAGE[200], "content": {JSONL: {"schema": {"type": "string"}}}}
_AT_ONCE = 1000


@router.get("", response_model=None, responses=_PAGE, summary="Who did what?")
async def read_audit(
    request: Request,
    server: Server,
    gallery: Annotated[
        str,
        Query(
            description="name of the gallery; one that was erased has its log still; empty: the server's own log",
            json_schema_extra={
                "pattern": rf"^$|{patterns.NAME['pattern']}",
                "minLength": 0,
                "maxLength": patterns.NAME["maxLength"],
            },
        ),
    ],
    after: After = "",
    limit: Limit = 100,
    format: Annotated[
        Literal["json", "jsonl"] | None,
        Query(
            description="`jsonl`: all entries after the cursor, a line of JSON each; so does `Accept: application/jsonl`"
        ),
    ] = None,
) -> AuditPage | Response:
    """Return a page of a gallery's audit log, oldest first; `next` is the cursor of the following page, or null.

    Entries are a hash chain, which `facegroup audit verify` checks. `chain` is where it begins and ends.
    """
    name = clean_name(gallery, "gallery name") if gallery else SERVER
    if format == "jsonl" or (format is None and JSONL in request.headers.get("accept", "")):
        first = await server.pipeline.ask(Store.audit, name, after, _AT_ONCE)
        return StreamingResponse(_lines(server, name, first), media_type=JSONL)
    chain = await server.pipeline.ask(Store.audit_chain, name)
    rows = await server.pipeline.ask(Store.audit, name, after, limit)
    return AuditPage.of(rows, limit, chain)


async def _lines(server: Context, gallery: str, page: Sequence[Entry]) -> AsyncIterator[bytes]:
    while page:
        yield "".join(AuditEntry.of(each).model_dump_json() + "\n" for each in page).encode()
        page = await server.pipeline.ask(Store.audit, gallery, page[-1].id, _AT_ONCE)
