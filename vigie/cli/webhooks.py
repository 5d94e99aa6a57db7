"""Where a firm's events are sent, from the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vigie.cli.companies import AsJson, Company
from vigie.cli.house import House, listed, opened, say, tell
from vigie.cli.secret_values import read_values

if TYPE_CHECKING:
    from sqlalchemy import Connection

webhook = typer.Typer(no_args_is_help=True, help="Where alerts are sent, to a CRM or a chat, and what came of it.")

Url = Annotated[str | None, typer.Argument(help="where to; a recipe knows it, or asks for it")]
RecipeName = Annotated[
    str | None, typer.Option("--recipe", help="speak the language of a CRM or chat; see `webhook recipes`")
]
Values = Annotated[list[str] | None, typer.Option("--set", help="what the recipe asks for, as name=value")]
Event = Annotated[
    list[str] | None,
    typer.Option("--event", help="alert.raised (if none is named), alert.resolved, mention.analysed, report.ready"),
]
Quiet = Annotated[str | None, typer.Option(help="when nothing is sent, such as 21:00-07:00 by the firm's own clock")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(webhook, name="webhook")


@webhook.command("add")
def add_webhook(
    company: Company,
    url: Url = None,
    recipe: RecipeName = None,
    values: Values = None,
    event: Event = None,
    quiet: Quiet = None,
) -> None:
    """Send alerts to URL, or to a CRM or chat, from now on. Prints the webhook's id and, this once, its secret.

    Examples: vigie webhook add "Boulangerie Mercier" https://crm.example.fr/hooks/vigie

    vigie webhook add "Boulangerie Mercier" --recipe hubspot --set key=-
    """
    from api.webhooks import recipes, store
    from ingest.http import check_address
    from ingest.net import refuse_private
    from vigie import companies, db
    from vigie.events import TOLD
    from vigie.secrets import Vault

    if (url is None) == (recipe is None):
        raise typer.BadParameter("give a URL or --recipe")
    if unknown := set(event or ()) - set(TOLD):
        raise typer.BadParameter(f"--event is one of {', '.join(TOLD)}, not {', '.join(sorted(unknown))}")
    headers: dict[str, str] = {}
    template = None
    if recipe is not None:
        url, headers, template = recipes.named(recipe).prepare(read_values(dict(_pair(one) for one in values or ())))
    check_address(url or "")
    with opened() as house, db.writing(house.engine) as connection:
        refuse_private(url or "", house.settings.allow_hosts)
        company_id = companies.find(connection, company)["id"]
        vault = Vault(house.settings.secret())
        webhook_id, secret = store.add(
            connection, vault, company_id, url or "", event or ["alert.raised"],
            quiet_hours=quiet, recipe=recipe, template=template, headers=headers,
        )  # fmt: skip
    say(webhook_id)
    say(secret)
    tell("`vigie webhook test` sends a first one; `vigie webhook deliveries` says what came of it.")


@webhook.command("recipes")
def list_recipes(as_json: AsJson = False) -> None:
    """List the CRMs and chats that can be written to without any code, and what each asks for."""
    from api.webhooks import recipes

    shown = ("name", "title", "does", "asks")
    listed([{name: getattr(one, name) for name in shown} for one in recipes.shipped().values()], as_json)


@webhook.command("list")
def list_webhooks(company: Company, as_json: AsJson = False) -> None:
    """List a firm's webhooks."""
    from api.webhooks import store
    from vigie import companies, db

    with opened() as house, db.reading(house.engine) as connection:
        rows = store.of_company(connection, companies.find(connection, company)["id"])
    listed(
        [
            {name: row[name] for name in ("id", "url", "recipe", "events", "quiet_hours", "paused", "off")}
            for row in rows
        ],
        as_json,
    )


@webhook.command("remove")
def remove_webhook(company: Company, webhook_id: str) -> None:
    """Send nothing there any more."""
    from api.webhooks import store

    with _webhooks_of(company) as (_, connection, company_id):
        store.remove(connection, company_id, webhook_id)


@webhook.command("pause")
def pause_webhook(company: Company, webhook_id: str) -> None:
    """Send nothing there until it is resumed; `replay` sends what was missed."""
    from api.webhooks import store

    with _webhooks_of(company) as (_, connection, company_id):
        store.change(connection, company_id, webhook_id, {"paused": True})


@webhook.command("resume")
def resume_webhook(company: Company, webhook_id: str) -> None:
    """Take up again a webhook that was paused, or that went off because it failed for days."""
    from api.webhooks import store

    with _webhooks_of(company) as (_, connection, company_id):
        store.change(connection, company_id, webhook_id, {"paused": False})


@webhook.command("rotate")
def rotate_webhook(company: Company, webhook_id: str) -> None:
    """Print a new secret, this once. For a day the former one signs too."""
    from api.webhooks import store
    from vigie.secrets import Vault

    with _webhooks_of(company) as (house, connection, company_id):
        say(store.rotate(connection, Vault(house.settings.secret()), company_id, webhook_id))


@webhook.command("test")
def test_webhook(company: Company, webhook_id: str) -> None:
    """Send an alert that says it is a test, signed as the real ones. Prints the delivery's id."""
    from api.webhooks import store

    with _webhooks_of(company) as (_, connection, company_id):
        say(store.test(connection, company_id, webhook_id))


@webhook.command("deliveries")
def list_deliveries(company: Company, webhook_id: str, as_json: AsJson = False) -> None:
    """List the last fifty deliveries and what became of them."""
    from api.webhooks import store

    with _webhooks_of(company) as (_, connection, company_id):
        rows = store.deliveries(connection, company_id, webhook_id)
    listed(
        [
            {
                "id": row["id"],
                "created_at": f"{row['created_at']:%Y-%m-%d %H:%M}",
                "state": row["state"],
                "attempts": len(row["attempts"]),
                "error": row["error"] or "",
            }
            for row in rows
        ],
        as_json,
    )


@webhook.command("replay")
def replay_webhook(
    company: Company,
    webhook_id: str,
    delivery: Annotated[str | None, typer.Option(help="one delivery, by its id")] = None,
    since: Annotated[datetime | None, typer.Option(help="or all alerts since a day", formats=["%Y-%m-%d"])] = None,
) -> None:
    """Send one delivery again, or all alerts since a day; each keeps its `webhook-id`.

    It reaches back thirty days: then the body of a delivery is removed.

    Example: vigie webhook replay "Boulangerie Mercier" wh_… --since 2026-11-01
    """
    from api.webhooks import store

    if (delivery is None) == (since is None):
        raise typer.BadParameter("give --delivery or --since")
    with _webhooks_of(company) as (_, connection, company_id):
        if since is not None:
            count = store.replay_since(connection, company_id, webhook_id, since.replace(tzinfo=UTC))
        else:
            store.replay(connection, company_id, webhook_id, delivery or "")
            count = 1
    say(f"{count} handed over; `vigie deliver` sends them")


@contextmanager
def _webhooks_of(company: str) -> Iterator[tuple[House, "Connection", str]]:
    """The house, a transaction, and the firm's id."""
    from vigie import companies, db

    with opened() as house, db.writing(house.engine) as connection:
        yield house, connection, companies.find(connection, company)["id"]


def _pair(given: str) -> tuple[str, str]:
    name, sign, value = given.partition("=")
    if not sign:
        raise typer.BadParameter(f"{given!r} is not name=value")
    return name, value
