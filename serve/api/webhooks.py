"""Routes on webhooks: receivers that events are posted to, and what they would not take."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from facegroup import errors
from facegroup.cameras.delivery import signature
from facegroup.cameras.hub.receivers import Receivers
from facegroup.cameras.sightings.types import Webhook
from facegroup.store.names import check_id
from facegroup.wire import patterns
from facegroup.wire import webhooks as wire
from serve.api import documented, visible
from serve.api.access import CheckedRoute
from serve.api.context import By, Limit, Server, Who

router = APIRouter(prefix="/webhooks", tags=["cameras"], route_class=CheckedRoute)

_KEPT = (errors.CamerasOff, errors.StoreUnavailable, errors.StoreInvalid, errors.InvalidName)
_LIST = documented.of(wire.Webhooks, *_KEPT)
_ONE = documented.of(wire.Webhook, *_KEPT, errors.UnknownWebhook)
_NEW = documented.of(
    wire.Webhook,
    *(*_KEPT, errors.WebhookExists, errors.TooManyWebhooks, errors.KeyMissing),
    *(errors.InvalidSource, errors.SourceNotAllowed, errors.SourceUnreachable),
    status=201,
)
_GONE = documented.of(None, *_KEPT, errors.UnknownWebhook, status=204)
_DEAD = documented.of(wire.DeadLetters, *_KEPT, errors.UnknownWebhook)
_RETRIED = documented.of(wire.Retried, *_KEPT, errors.UnknownWebhook)


async def _id(webhook: Annotated[str, Path(description="id of the webhook", json_schema_extra=patterns.IDENT)]) -> str:
    return check_id(webhook, "webhook")


WebhookId = Annotated[str, Depends(_id)]


@router.get("", response_model=None, responses=_LIST, summary="List webhooks")
async def list_webhooks(server: Server, who: Who) -> dict[str, Any]:
    """Return all webhooks and how far each is, by id."""
    found = await server.pipeline.cameras(Receivers.all)
    seen = [wire.Webhook.of(*each) for each in found if visible.sees_webhook(who, each[0])]
    return wire.Webhooks(webhooks=seen).as_json()


@router.post("", status_code=201, response_model=None, responses=_NEW, summary="Add a webhook")
async def add_webhook(server: Server, new: wire.NewWebhook, who: Who, by: By) -> dict[str, Any]:
    """Add a receiver that is told of every event from now on, in order, at least once each.

    Each is posted as JSON and signed as Standard Webhooks says: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    An answer of 2xx takes it. Else it is tried again, with growing pauses, for days; what is refused for good (410, 400 …)
    becomes a dead letter. The secret is kept encrypted, and shown in this answer only.
    """
    made = Webhook(
        check_id(new.id, "webhook"), new.url, new.secret or signature.new_secret(), tuple(new.cameras), new.gallery
    )
    if not visible.sees_webhook(who, made):
        raise errors.Forbidden(
            "This key is limited to some galleries or cameras. Name one of its galleries, or its cameras, in the webhook."
        )
    found, state = await server.pipeline.cameras(Receivers.add, made, by)
    return wire.Webhook.of(found, state, secret=True).as_json()


@router.get("/{webhook}", response_model=None, responses=_ONE, summary="Show a webhook")
async def show_webhook(server: Server, webhook: WebhookId, who: Who) -> dict[str, Any]:
    """Return a webhook and how far it is."""
    await visible.check_webhook(server, who, webhook)
    return wire.Webhook.of(*await server.pipeline.cameras(Receivers.show, webhook)).as_json()


@router.delete("/{webhook}", status_code=204, responses=_GONE, summary="Remove a webhook")
async def remove_webhook(server: Server, webhook: WebhookId, who: Who, by: By) -> Response:
    """Remove a webhook with what it would not take."""
    await visible.check_webhook(server, who, webhook)
    await server.pipeline.cameras(Receivers.remove, webhook, by)
    return Response(status_code=204)


@router.get("/{webhook}/dead-letters", response_model=None, responses=_DEAD, summary="List what was not taken")
async def list_dead_letters(
    server: Server,
    webhook: WebhookId,
    who: Who,
    after: Annotated[int, Query(ge=0, description="cursor: the `next` of the page before")] = 0,
    limit: Limit = 100,
) -> wire.DeadLetters:
    """Return a page of the events that the receiver would not take, by number."""
    await visible.check_webhook(server, who, webhook)
    found = await server.pipeline.cameras(Receivers.dead_letters, webhook, after, limit)
    return wire.DeadLetters.of(found, limit)


@router.post("/{webhook}/dead-letters/retry", response_model=None, responses=_RETRIED, summary="Try them once more")
async def retry_dead_letters(server: Server, webhook: WebhookId, who: Who) -> wire.Retried:
    """Post what the receiver would not take once more, until one is not taken again; say how many it took."""
    await visible.check_webhook(server, who, webhook)
    return wire.Retried(retried=await server.pipeline.cameras(Receivers.retry_dead_letters, webhook))
