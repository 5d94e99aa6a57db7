"""What a webhook's template may name of an event, in the words of the firm's language."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from dashboards import i18n, weekly
from vigie import companies
from vigie.settings import Settings

_MOST_QUOTED = 400


def values(connection: Connection, settings: Settings, event: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a CloudEvents object, by the names of `api.webhooks.templates`."""
    firm = companies.get(connection, event["source"].removeprefix("/companies/"))
    page = weekly.page_of(settings, firm["id"])
    told = _of_event(event, firm["language"], page)
    same = {"id": event["id"], "type": event["type"], "time": event["time"]}
    said = {"quote": None, "rating": None, "rule": None, **told, "text": told["text"] or told["title"]}
    return {**same, "company_id": firm["id"], "firm": firm["name"], **said}


def _of_event(event: Mapping[str, Any], language: str, page: str | None) -> dict[str, Any]:
    data, name = event["data"], event["type"]
    if name == "mention.analysed":
        quote, link = data["text"][:_MOST_QUOTED], page and f"{page}/reviews/{data['id']}"
        told = {"text": quote, "quote": quote, "rating": data["rating"], "link": link}
        return {"title": i18n.event(name, language), **told}
    if name == "report.ready":
        return {"title": i18n.event(name, language), "text": "", "link": page}
    title, sentence = i18n.alert_words(data, language)
    if name == "alert.resolved":
        title = i18n.event(name, language) % {"alert": title}
    facts = {"quote": data["facts"].get("quote"), "rating": data["facts"].get("rating"), "rule": data["rule"]}
    return {"title": title, "text": sentence, **facts, "link": page and f"{page}/alerts"}
