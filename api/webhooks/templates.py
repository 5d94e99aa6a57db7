"""What is sent in an event's place: a JSON value whose texts hold `{names}` of what the event says. Pure.

There is no logic in a template, so there is nothing to break out of, and what comes of it is always JSON. A name may
be followed by `|html` (escaped, for fields that a CRM shows as HTML) or `|int` (a number, where it stands alone).
"""

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from vigie.errors import InvalidInputError

# What each name stands for; `None` becomes an empty text, or null where the name stands alone.
NAMES = {
    "id": "the event's id, the same for every attempt",
    "type": "alert.raised, alert.resolved, mention.analysed or report.ready",
    "company_id": "the firm's id",
    "firm": "the firm's name",
    "title": "what happened, in a few words in the firm's language",
    "text": "the same in a sentence, with the customer's words where there are some",
    "quote": "the customer's words alone",
    "rating": "stars out of five",
    "rule": "the alert's rule",
    "link": "the address of the page to open",
    "time": "when it happened, ISO 8601",
}
_NAME = re.compile(r"\{([a-z_]+)(?:\|(html|int))?\}")
_MOST, _DEEPEST = 10_000, 20  # characters, levels
_OURS = {"host", "content-length", "transfer-encoding", "connection", "content-type"}


def check(template: Any, headers: Mapping[str, str]) -> None:
    """Raises `InvalidInputError` for a template or headers that cannot be sent."""
    if _is_deeper(template, _DEEPEST) or len(json.dumps(template)) > _MOST:
        raise InvalidInputError(f"a template has at most {_MOST} characters and {_DEEPEST} levels")
    for name in unknown(template, NAMES):
        raise InvalidInputError(f"{{{name}}} is none of {', '.join(NAMES)}")
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", name) or not re.fullmatch(r"[ -~]{1,2000}", value):
            raise InvalidInputError(f"the header {name[:64]!r} cannot be sent: letters, digits and signs in ASCII only")
        if name.lower() in _OURS or name.lower().startswith("webhook-"):
            raise InvalidInputError(f"the header {name!r} is not yours to set")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with these values in place; other names stay as they are."""
    if isinstance(template, dict):
        return {name: fill(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [fill(value, values) for value in template]
    if not isinstance(template, str):
        return template
    whole = _NAME.fullmatch(template)
    if whole and whole[1] in values:
        return _value(values[whole[1]], whole[2])
    return _NAME.sub(lambda found: _text(found, values), template)


def unknown(template: Any, names: Mapping[str, Any]) -> list[str]:
    """The names in a template that are none of these."""
    return [one for one, _ in _NAME.findall(json.dumps(template, ensure_ascii=False)) if one not in names]


def _text(found: re.Match[str], values: Mapping[str, Any]) -> str:
    if found[1] not in values:
        return found[0]
    value = _value(values[found[1]], found[2])
    return "" if value is None else str(value)


def _value(value: Any, wanted: str | None) -> Any:
    if value is None:
        return None
    if wanted == "html":
        return html.escape(str(value)).replace("\n", "<br>")
    return int(value) if wanted == "int" else value


def _is_deeper(template: Any, levels: int) -> bool:
    """Return whether values are nested in more than `levels`, level by level: recursion would meet its own limit."""
    values = [template]
    for _ in range(levels):
        values = [inner for value in values for inner in _inner_values(value)]
    return bool(values)


def _inner_values(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
