"""What deserves an alert, from the command line."""

from typing import Annotated, Any

import typer

from vigie.cli.companies import AsJson, Company
from vigie.cli.house import listed, opened, say

rule = typer.Typer(no_args_is_help=True, help="What deserves an alert: list, add, preview, on, off, remove.")

Keyword = Annotated[str | None, typer.Option(help='words: attente et (froid ou tiède) sauf "plat froid"')]
Theme = Annotated[str | None, typer.Option(help="such as waiting, price, service")]
Sentiment = Annotated[str | None, typer.Option(help="negative, neutral or positive")]
AtMost = Annotated[float | None, typer.Option(help="stars on five, at most")]
Source = Annotated[str | None, typer.Option(help="a source's id")]
Location = Annotated[str | None, typer.Option(help="a location's id")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(rule, name="rule")


@rule.command("list")
def list_rules(company: Company, as_json: AsJson = False) -> None:
    """List the four switches and the firm's own rules."""
    from analysis import rule_store
    from vigie import companies, db

    with opened() as house, db.reading(house.engine) as connection:
        rows = rule_store.of_company(connection, companies.find(connection, company)["id"])
    listed([{name: row[name] for name in ("id", "name", "enabled", "conditions")} for row in rows], as_json)


@rule.command("add")
def add_rule(
    company: Company,
    name: str,
    keyword: Keyword = None,
    theme: Theme = None,
    sentiment: Sentiment = None,
    rating_at_most: AtMost = None,
    source: Source = None,
    location: Location = None,
) -> None:
    """Alert when a mention fulfils all of these conditions. Prints the rule's id.

    Example: vigie rule add "Boulangerie Mercier" Attente --keyword "attente ou queue" --sentiment negative
    """
    from analysis import rule_store
    from vigie import companies, db

    wanted = _conditions(keyword, theme, sentiment, rating_at_most, source, location)
    with opened() as house, db.writing(house.engine) as connection:
        say(rule_store.add(connection, companies.find(connection, company)["id"], name, wanted))


@rule.command("preview")
def preview_rule(
    company: Company,
    keyword: Keyword = None,
    theme: Theme = None,
    sentiment: Sentiment = None,
    rating_at_most: AtMost = None,
    source: Source = None,
    location: Location = None,
) -> None:
    """Say how many alerts such a rule would have raised in the last ninety days.

    Example: vigie rule preview "Boulangerie Mercier" --theme waiting --sentiment negative
    """
    from analysis import rule_store
    from vigie import clock, companies, db

    wanted = _conditions(keyword, theme, sentiment, rating_at_most, source, location)
    with opened() as house, db.reading(house.engine) as connection:
        firm = companies.find(connection, company)
        today = clock.local_day(clock.now(), firm["timezone"])
        seen = rule_store.preview(connection, firm["id"], wanted, today)
    say(f"this rule would have raised {seen['alerts']} alerts in the last {seen['days']} days")
    for one in seen["examples"]:
        say(f"{one['day']}  {one['text'][:100]}")


@rule.command("on")
def switch_on(company: Company, rule_id: str) -> None:
    """Switch a rule on: one of the four by its name, or one of the firm's own by its id."""
    _turn(company, rule_id, enabled=True)


@rule.command("off")
def switch_off(company: Company, rule_id: str) -> None:
    """Switch a rule off.

    Example: vigie rule off "Boulangerie Mercier" unusual_volume
    """
    _turn(company, rule_id, enabled=False)


@rule.command("remove")
def remove_rule(company: Company, rule_id: str) -> None:
    """Remove one of the firm's own rules; its alerts stay."""
    from analysis import rule_store
    from vigie import companies, db

    with opened() as house, db.writing(house.engine) as connection:
        rule_store.remove(connection, companies.find(connection, company)["id"], rule_id)


def _turn(company: str, rule_id: str, *, enabled: bool) -> None:
    from analysis import rule_store
    from vigie import companies, db

    with opened() as house, db.writing(house.engine) as connection:
        rule_store.change(connection, companies.find(connection, company)["id"], rule_id, {"enabled": enabled})


def _conditions(
    keyword: str | None,
    theme: str | None,
    sentiment: str | None,
    rating_at_most: float | None,
    source: str | None,
    location: str | None,
) -> dict[str, Any]:
    from analysis.store import LABELS
    from analysis.themes import GENERAL, THEMES

    if theme is not None and theme not in {*THEMES, GENERAL}:
        raise typer.BadParameter(f"--theme is one of {', '.join((*THEMES, GENERAL))}")
    if sentiment is not None and sentiment not in LABELS:
        raise typer.BadParameter(f"--sentiment is one of {', '.join(LABELS)}")
    return {
        "keyword": keyword, "theme": theme, "sentiment": sentiment, "rating_at_most": rating_at_most,
        "source_id": source, "location_id": location,
    }  # fmt: skip
