"""Where a firm's alerts are sent."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, status
from sqlalchemy import RowMapping

from api.auth import Manage
from api.schemas import NewWebhook, Webhook, WebhookIn
from api.services import Given
from api.webhooks import store
from vigie import db

router = APIRouter(prefix="/companies/{company_id}/webhooks", tags=["webhooks"])


@router.get("", response_model=list[Webhook])
def list_webhooks(firm: Manage, given: Given) -> Sequence[RowMapping]:
    """A firm's webhooks."""
    with db.reading(given.engine) as connection:
        return store.of_company(connection, firm["id"])


@router.post("", response_model=NewWebhook, status_code=status.HTTP_201_CREATED)
def create_webhook(values: WebhookIn, firm: Manage, given: Given) -> dict[str, Any]:
    """Send alerts there from now on. The secret is shown this once."""
    with db.writing(given.engine) as connection:
        webhook_id, secret = store.add(connection, given.vault, firm["id"], values.url, values.events)
    return {"id": webhook_id, "url": values.url, "events": values.events, "paused": False, "secret": secret}


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_webhook(webhook_id: str, firm: Manage, given: Given) -> None:
    """Send nothing there any more."""
    with db.writing(given.engine) as connection:
        store.remove(connection, firm["id"], webhook_id)
