"""The rows of webhooks; their secrets are encrypted at rest."""

import base64
import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, delete, select

from vigie import clock, ids
from vigie.db.tables import webhook
from vigie.errors import NotFoundError
from vigie.secrets import Vault


def add(connection: Connection, vault: Vault, company_id: str, url: str, events: Sequence[str]) -> tuple[str, str]:
    """A new webhook; its id, and its secret (`whsec_` and 32 random bytes), which is not shown again."""
    webhook_id = ids.drawn("wh")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    connection.execute(
        webhook.insert().values(
            id=webhook_id,
            company_id=company_id,
            url=url,
            secret=vault.encrypt(secret),
            events=list(events),
            created_at=clock.now(),
        )
    )
    return webhook_id, secret


def of_company(connection: Connection, company_id: str) -> Sequence[RowMapping]:
    """A firm's webhooks, oldest first."""
    ours = select(webhook).where(webhook.c.company_id == company_id)
    return connection.execute(ours.order_by(webhook.c.created_at, webhook.c.id)).mappings().all()


def remove(connection: Connection, company_id: str, webhook_id: str) -> None:
    """Raises `NotFoundError` for a webhook of another firm."""
    ours = webhook.c.id == webhook_id, webhook.c.company_id == company_id
    if connection.execute(delete(webhook).where(*ours)).rowcount == 0:
        raise NotFoundError(f"there is no webhook {webhook_id!r}")
