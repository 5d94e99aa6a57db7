"""Decide where a source's stored secrets may be sent, and who may change that. Pure.

A secret belongs to one destination: a source pointed at another server would hand its password to that server.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import RowMapping

from ingest.sources import KINDS
from vigie.errors import InvalidInputError

_MAIL_SCHEMES = {"imap", "imaps"}
_HELD_BY_HOST = "the password of this source was set by whoever runs Vigie: only they can change its address or options"


def destination(target: str) -> tuple[object, ...]:
    """Return what decides who receives a secret: scheme, account, host and port, and the path unless it is a folder."""
    try:
        parts = urlsplit(target.strip())
        port = parts.port
    except ValueError:
        return (target,)
    if parts.scheme not in _MAIL_SCHEMES:
        return (target.strip().rstrip("/"),)
    return parts.scheme, parts.username, parts.hostname, port


def may_follow(row: RowMapping | Mapping[str, Any], new_target: str) -> bool:
    """Return whether a permanent redirect may re-point the source without asking anybody."""
    return not row["sealed"] or destination(row["target"]) == destination(new_target)


def check_change(row: RowMapping | Mapping[str, Any], values: Mapping[str, Any], *, by_host: bool) -> None:
    """Raise `InvalidInputError` if the change would send the stored secrets elsewhere, or is not this caller's to make.

    Options replace the former ones together with their secrets, so that a change of options never keeps a secret.
    """
    if not row["sealed"]:
        return
    new_target = values.get("target", row["target"])
    changes_options = "options" in values
    if row["held_by_host"] and not by_host and (changes_options or new_target != row["target"]):
        raise InvalidInputError(_HELD_BY_HOST)
    kind = KINDS[row["kind"]]
    if not kind.polled or changes_options or destination(row["target"]) == destination(new_target):
        return
    names = " or ".join(sorted(kind.secrets))
    raise InvalidInputError(f"the secret was set for the former address: send options with {names} again")
