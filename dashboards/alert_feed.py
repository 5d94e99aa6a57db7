"""A firm's alerts as a feed (Atom, RFC 4287), for whoever reads feeds. Its address is the key: whoever has it reads.

A new address ends the one before. A medical firm's feed holds nobody's words, as its mails do not.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from fastapi import APIRouter, Response
from sqlalchemy import Engine

from analysis import endpoints, queries
from dashboards import i18n, weekly
from vigie import access, clock, companies, db
from vigie.settings import Settings

_SHOWN = 50
_ATOM = "http://www.w3.org/2005/Atom"


def router(engine: Engine, settings: Settings) -> APIRouter:
    """The feed's page; it needs no session."""
    public = APIRouter()

    @public.get("/feed/{key}.atom")
    def feed(key: str) -> Response:
        with db.reading(engine) as connection:
            who = access.authenticate(connection, key, "feed")
            if who is None or who.company_id is None:
                return Response("this address is not valid, or no longer", 404, media_type="text/plain")
            firm = dict(companies.get(connection, who.company_id))
            found = [dict(row) for row in queries.alerts(connection, firm["id"], limit=_SHOWN)]
        page = weekly.page_of(settings, firm["id"])
        return Response(written(firm, found, page), media_type="application/atom+xml")

    return public


def written(firm: Mapping[str, Any], found: list[dict[str, Any]], page: str | None) -> bytes:
    """The feed of those alerts, the latest first."""
    feed = ElementTree.Element("feed", xmlns=_ATOM)
    _add(feed, "id", f"urn:vigie:alerts:{firm['id']}")
    _add(feed, "title", f"Vigie · {firm['name']}")
    _add(feed, "updated", _moment(max((one["raised_at"] for one in found), default=clock.now())))
    _add(_add(feed, "author"), "name", "Vigie")
    for one in found:
        shown = endpoints.alert_without_words(one) if endpoints.is_medical(firm["sector"]) else one
        title, sentence = i18n.alert_words(shown, firm["language"])
        entry = _add(feed, "entry")
        _add(entry, "id", f"urn:vigie:alert:{one['id']}")
        _add(entry, "title", title)
        _add(entry, "updated", _moment(one["resolved_at"] or one["raised_at"]))
        _add(entry, "summary", sentence)
        if page:
            _add(entry, "link", href=f"{page}/alerts#{one['id']}")
    return bytes(ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True))


def _add(parent: ElementTree.Element, name: str, text: str = "", **values: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, name, values)
    child.text = "".join(letter for letter in text if letter >= " " or letter in "\t\n") or None
    return child


def _moment(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
