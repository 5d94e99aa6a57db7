"""Typed events, past tense, with their encoding beside them.

On the wire each is one CloudEvents 1.0 event in structured mode (JSON, UTF-8); the version of its data stands at the
end of `dataschema`, and `vigie/schemas/` describes it. An event of an older version is lifted to the present one; one
of a later version, or of an unknown type, raises `UndecodableError`.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, cast, get_args

from vigie.errors import UndecodableError

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
MOST_MENTIONS = 50
MOST_TEXT = 20_000
MAX_TRACEPARENT_CHARS = 55  # W3C Trace Context, 3.2.2

Data = dict[str, Any]
Notify = Literal["fresh", "never", "always"]
# Why a mention stands apart and never counts: its sender is not proven, its layout was never confirmed, or it was
# told to the staff, which is no review. What analysis finds by itself (another firm, a copy) is not said here.
Apart = Literal["unverified", "unconfirmed", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """What somebody said, as it was collected. Moments are aware; `rating` is on five, or None.

    `platform` is where it was written, when that is not the source itself (a mail that tells of a Google review);
    `translation` a machine's, beside the customer's own words; `cut` says that the text was longer; `layout` marks
    mails that are written in the same way; from `expires_at` on its words may not be kept. `contact` is the address
    that a customer left to be answered, and for nothing else; `wish` is what they typed where they were asked for one.
    """

    id: str
    text: str
    published_at: datetime
    collected_at: datetime
    published_at_known: bool = True
    url: str | None = None
    author: str | None = None
    title: str | None = None
    language: str | None = None
    rating: float | None = None
    rating_given: str | None = None
    experienced_at: datetime | None = None
    updated_at: datetime | None = None
    reply: str | None = None
    platform: str | None = None
    translation: str | None = None
    cut: bool = False
    apart: Apart | None = None
    layout: str | None = None
    expires_at: datetime | None = None
    contact: str | None = None
    wish: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The source that a mention came by. A guarded one (a search, the press) also speaks of others."""

    id: str
    kind: str
    name: str
    location_id: str | None = None
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Unusable:
    """One mention of a record that cannot be read, and why; the others of that record count."""

    data: Any
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionsCollected:
    """What one poll of one source brought for one company: 1 to 50 mentions.

    `notify` says whether they may alert somebody: `fresh` if they were published in the last seven days, `never` for
    the past (a first poll, an import), `always` when the owner asked for it. `traceparent` names the span that appended
    it.
    """

    TYPE: ClassVar[str] = "mentions.collected"
    VERSION: ClassVar[int] = 2

    id: str
    time: datetime
    company_id: str
    source: Origin
    mentions: tuple[Mention, ...]
    notify: Notify = "fresh"
    unusable: tuple[Unusable, ...] = ()
    traceparent: str | None = None

    def data(self) -> Data:
        return {
            "source": _present(self.source),
            "mentions": [_present(mention) for mention in self.mentions],
            "notify": self.notify,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a firm's webhooks may ask to be told of. `shown` is the alert, mention or report as the API shows it."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    id: str
    time: datetime
    company_id: str
    shown: Data

    def data(self) -> Data:
        return self.shown


@dataclass(frozen=True, slots=True)
class AlertRaised(Told):
    """A rule found something that its owner should know."""

    TYPE: ClassVar[str] = "alert.raised"


@dataclass(frozen=True, slots=True)
class AlertResolved(AlertRaised):
    """An alert is over: its source speaks again, or somebody dealt with it."""

    TYPE: ClassVar[str] = "alert.resolved"


@dataclass(frozen=True, slots=True)
class MentionAnalysed(Told):
    """A mention that is not of the past was read and stored for the first time."""

    TYPE: ClassVar[str] = "mention.analysed"


@dataclass(frozen=True, slots=True)
class ReportReady(Told):
    """The owner's mail of a week was made."""

    TYPE: ClassVar[str] = "report.ready"


Event = MentionsCollected | Told
TOLD: dict[str, type[Told]] = {kind.TYPE: kind for kind in (AlertRaised, AlertResolved, MentionAnalysed, ReportReady)}

# (type, version) → its data in the next version. Old events stay readable for as long as a log may hold them.
# Version 2 adds fields; it is a version because a release that ignored `apart` would count what must not count.
UPGRADES: dict[tuple[str, int], Callable[[Data], Data]] = {("mentions.collected", 1): lambda data: data}


def encode(event: Event) -> bytes:
    """The event as it goes over the wire."""
    return json.dumps(envelope(event), ensure_ascii=False, separators=(",", ":")).encode()


def envelope(event: Event) -> Data:
    """The event as a CloudEvents 1.0 object."""
    traceparent = getattr(event, "traceparent", None)
    # CloudEvents' extension "Distributed Tracing".
    extensions = {"traceparent": traceparent} if traceparent else {}
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/companies/{event.company_id}",
        "type": event.TYPE,
        "time": _moment_text(event.time),
        "datacontenttype": "application/json",
        "dataschema": f"urn:vigie:schema:{event.TYPE}:{event.VERSION}",
        **extensions,
        "data": event.data(),
    }


def decode(value: bytes | None) -> Event:
    """The event that `value` holds; raises `UndecodableError` saying why it holds none."""
    attributes = _attributes(value)
    company_id = attributes["source"].removeprefix("/companies/")
    common = {
        "id": attributes["id"],
        "time": _moment(attributes.get("time"), "time"),
        "company_id": company_id,
    }
    data = _upgraded(attributes)
    if kind := TOLD.get(attributes["type"]):
        return kind(shown=data, **common)
    return replace(_mentions_collected(data, common), traceparent=_traceparent(attributes))


def _traceparent(attributes: Data) -> str | None:
    """Return the extension as it stands; whoever continues the trace checks its form."""
    value = attributes.get("traceparent")
    return value if isinstance(value, str) and len(value) <= MAX_TRACEPARENT_CHARS else None


def _attributes(value: bytes | None) -> Data:
    if value is None:
        raise UndecodableError("the record has no value")
    try:
        attributes = json.loads(value)
    except (ValueError, RecursionError) as error:  # ValueError: JSON, UTF-8 and numbers of 5,000 digits
        raise UndecodableError(f"not JSON: {str(error)[:200]}") from error
    if not isinstance(attributes, dict) or attributes.get("specversion") != "1.0":
        raise UndecodableError("not a CloudEvents 1.0 event in structured mode")
    for name in ("id", "source", "type", "dataschema"):
        if not isinstance(attributes.get(name), str) or not attributes[name]:
            raise UndecodableError(f"the attribute {name} is missing or not a text")
    return attributes


def _upgraded(attributes: Data) -> Data:
    name, (_, _, version_text) = attributes["type"], attributes["dataschema"].rpartition(":")
    known = {MentionsCollected.TYPE: MentionsCollected.VERSION} | {kind.TYPE: kind.VERSION for kind in TOLD.values()}
    if name not in known:
        raise UndecodableError(f"unknown event type {name[:80]!r}")
    if not version_text.isascii() or not version_text.isdigit() or len(version_text) > 4:
        raise UndecodableError(f"dataschema names no version: {attributes['dataschema'][:80]!r}")
    data, version = attributes.get("data"), int(version_text)
    if not isinstance(data, dict):
        raise UndecodableError("data is not an object")
    while (name, version) in UPGRADES:
        data, version = UPGRADES[name, version](data), version + 1
    if version != known[name]:
        raise UndecodableError(f"{name} has version {version}; this release reads up to {known[name]}")
    return data


def _mentions_collected(data: Data, common: Data) -> MentionsCollected:
    origin, given = data.get("source"), data.get("mentions")
    if not isinstance(origin, dict) or not isinstance(given, list) or not 1 <= len(given) <= MOST_MENTIONS:
        raise UndecodableError("data needs a source and 1 to 50 mentions")
    try:
        source = Origin(
            id=_text(origin, "id", 64, required=True),
            kind=_text(origin, "kind", 64, required=True),
            name=_text(origin, "name", 500) or "",
            location_id=_text(origin, "location_id", 64),
            guarded=origin.get("guarded") is True,
        )
    except ValueError as error:
        raise UndecodableError(f"the source: {error}") from error
    mentions, unusable = [], []
    for one in given:
        try:
            mentions.append(mention_from(one))
        except ValueError as error:
            unusable.append(Unusable(one, str(error)))
    return MentionsCollected(
        source=source,
        mentions=tuple(mentions),
        unusable=tuple(unusable),
        notify=data["notify"] if data.get("notify") in get_args(Notify) else "fresh",
        **common,
    )


def mention_from(data: Any) -> Mention:
    """A mention from its JSON form; raises ValueError naming the first field that cannot be used."""
    if not isinstance(data, dict):
        raise ValueError("a mention is an object")
    return Mention(
        id=_text(data, "id", 64, required=True),
        text=_text(data, "text", MOST_TEXT) or "",
        published_at=_moment(data.get("published_at"), "published_at"),
        collected_at=_moment(data.get("collected_at"), "collected_at"),
        published_at_known=data.get("published_at_known") is not False,
        url=_text(data, "url", 4_000),
        author=_text(data, "author", 500),
        title=_text(data, "title", 2_000),
        language=_text(data, "language", 16),
        rating=_rating(data.get("rating")),
        rating_given=_text(data, "rating_given", 64),
        experienced_at=_optional_moment(data, "experienced_at"),
        updated_at=_optional_moment(data, "updated_at"),
        reply=_text(data, "reply", MOST_TEXT),
        platform=_text(data, "platform", 32),
        translation=_text(data, "translation", MOST_TEXT),
        cut=data.get("cut") is True,
        apart=_apart(data.get("apart")),
        layout=_text(data, "layout", 64),
        expires_at=_optional_moment(data, "expires_at"),
        contact=_text(data, "contact", 320),
        wish=_text(data, "wish", MOST_TEXT),
    )


def _apart(value: Any) -> Apart | None:
    if value is not None and value not in get_args(Apart):
        raise ValueError(f"apart is none of {', '.join(get_args(Apart))}")
    return cast(Apart | None, value)


def _text(data: Data, name: str, most: int, *, required: bool = False) -> Any:
    value = data.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or len(value) > most or (required and not value):
        raise ValueError(f"{name} is not a text of at most {most} characters")
    if "\x00" in value or (not value.isprintable() and _has_surrogate(value)):
        raise ValueError(f"{name} holds characters that cannot be stored")
    return value


def _has_surrogate(value: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in value)


def _rating(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("rating is not a number")
    if not 0 <= value <= 5:
        raise ValueError("rating is not between 0 and 5")
    return float(value)


def _optional_moment(data: Data, name: str) -> datetime | None:
    return None if data.get(name) is None else _moment(data[name], name)


def _moment(value: Any, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else _no_zone(name)
    except (TypeError, ValueError, OverflowError) as error:
        raise UndecodableMomentError(f"{name} is not a moment with its time zone") from error


class UndecodableMomentError(UndecodableError, ValueError):
    """Bad for a whole record when it stands in its attributes, for one mention when it stands there."""


def _no_zone(name: str) -> datetime:
    raise ValueError(f"{name} has no time zone")


def _moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _present(value: Mention | Origin) -> Data:
    """A dataclass as JSON, fields at their default left out."""
    shown = {}
    for field in fields(value):
        one = getattr(value, field.name)
        if one is None or one is field.default:
            continue
        shown[field.name] = _moment_text(one) if isinstance(one, datetime) else one
    return shown
