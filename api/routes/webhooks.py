"""Where a firm's alerts are sent, and what came of it."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, status
from pydantic import AwareDatetime
from sqlalchemy import RowMapping

from api import paging
from api.auth import Manage
from api.schemas import Deliveries, NewWebhook, Recipe, Replayed, Secret, Started, Webhook, WebhookChange, WebhookIn
from api.services import Given
from api.webhooks import recipes, store
from ingest.http import check_address
from vigie import db, quotas
from vigie.errors import InvalidInputError, SourceError

router = APIRouter(prefix="/companies/{company_id}/webhooks", tags=["webhooks"])


@router.get("/recipes", response_model=list[Recipe])
def list_recipes(firm: Manage) -> list[dict[str, Any]]:
    """The CRMs and team chats that are spoken to without any code, and what each asks for."""
    shown = ("name", "title", "does", "documentation", "asks")
    return [{name: getattr(one, name) for name in shown} for one in recipes.shipped().values()]


@router.get("", response_model=list[Webhook])
def list_webhooks(firm: Manage, given: Given) -> Sequence[RowMapping]:
    """A firm's webhooks. `off` says why nothing is sent there any more: `gone` (it answered 410) or `failing`."""
    with db.reading(given.engine) as connection:
        return store.of_company(connection, firm["id"])


@router.post("", response_model=NewWebhook, status_code=status.HTTP_201_CREATED)
def create_webhook(values: WebhookIn, firm: Manage, given: Given) -> dict[str, Any]:
    """Send events there from now on. The secret is shown this once."""
    url, headers, template = _prepared(values)
    _check(url)
    mentions = values.mentions.model_dump(exclude_none=True) if values.mentions else None
    with db.writing(given.engine) as connection:
        webhook_id, secret = store.add(
            connection,
            given.vault,
            firm["id"],
            url,
            values.events,
            rules=values.rules,
            mentions=mentions,
            quiet_hours=values.quiet_hours,
            recipe=values.recipe,
            template=template,
            headers=headers,
        )
        return {**store.of_firm(connection, firm["id"], webhook_id), "secret": secret}


@router.patch("/{webhook_id}", response_model=Webhook)
def change_webhook(webhook_id: str, values: WebhookChange, firm: Manage, given: Given) -> dict[str, Any]:
    """Change the fields that are sent. `paused: false` takes up again one that was paused or off."""
    changed = values.model_dump(exclude_unset=True)
    if any(changed.get(name, ...) is None for name in ("url", "events", "paused")):
        raise InvalidInputError("url, events and paused cannot be null")
    if "url" in changed:
        _check(changed["url"])
    with db.writing(given.engine) as connection:
        return store.change(connection, firm["id"], webhook_id, changed)


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_webhook(webhook_id: str, firm: Manage, given: Given) -> None:
    """Send nothing there any more."""
    with db.writing(given.engine) as connection:
        store.remove(connection, firm["id"], webhook_id)


@router.post("/{webhook_id}/rotate", response_model=Secret)
def rotate_secret(webhook_id: str, firm: Manage, given: Given) -> dict[str, str]:
    """A new secret, shown this once. For a day deliveries are signed by the former one too."""
    with db.writing(given.engine) as connection:
        return {"secret": store.rotate(connection, given.vault, firm["id"], webhook_id)}


@router.post("/{webhook_id}/test", response_model=Started, status_code=status.HTTP_202_ACCEPTED)
def send_test(webhook_id: str, firm: Manage, given: Given) -> dict[str, str]:
    """Send an alert with `"test": true`, signed as the real ones; see the deliveries for what came of it."""
    with db.writing(given.engine) as connection:
        quotas.take_test(connection, firm["id"])
        return {"delivery_id": store.test(connection, firm["id"], webhook_id)}


@router.get("/{webhook_id}/deliveries", response_model=Deliveries)
def list_deliveries(
    webhook_id: str, firm: Manage, given: Given, limit: paging.Limit = 50, cursor: paging.Cursor = None
) -> dict[str, Any]:
    """What was sent there, latest first: the body, each attempt, and the beginning of what was answered."""
    with db.reading(given.engine) as connection:
        rows = store.deliveries(connection, firm["id"], webhook_id, limit=limit, after=paging.decode(cursor))
    more = paging.encode(rows[-1]["created_at"], rows[-1]["id"]) if len(rows) == limit else None
    return {"items": rows, "next_cursor": more}


@router.post("/{webhook_id}/deliveries/{delivery_id}/replay", response_model=Replayed, status_code=202)
def replay_one(webhook_id: str, delivery_id: str, firm: Manage, given: Given) -> dict[str, int]:
    """Send one delivery again, under the same `webhook-id`."""
    with db.writing(given.engine) as connection:
        store.replay(connection, firm["id"], webhook_id, delivery_id)
    return {"count": 1}


@router.post("/{webhook_id}/replay", response_model=Replayed, status_code=202)
def replay_since(webhook_id: str, since: AwareDatetime, firm: Manage, given: Given) -> dict[str, int]:
    """Send every alert raised since then again, each under its own `webhook-id`."""
    with db.writing(given.engine) as connection:
        return {"count": store.replay_since(connection, firm["id"], webhook_id, since)}


def _prepared(values: WebhookIn) -> tuple[str, dict[str, str], Any]:
    """The address, headers and template that were given, or that a recipe makes of what was."""
    if values.recipe is None:
        if values.url is None or values.values:
            raise InvalidInputError("a webhook needs a url, or a recipe with the values that it asks for")
        return values.url, values.headers, values.template
    if values.url or values.headers or values.template:
        raise InvalidInputError("a recipe brings its own url, headers and template")
    return recipes.named(values.recipe).prepare(values.values)


def _check(url: str) -> None:
    try:
        check_address(url)
    except SourceError as error:
        raise InvalidInputError(str(error)) from error
