"""On PostgreSQL, moments become `timestamptz`, days `date`, and JSON `jsonb`; SQLite has none of these and stays.

Each table is written anew once, with its indexes: 61 s with a million mentions (1.1 GB) on two busy cores, without
fsync. While it runs nothing else reads or writes. `headers` stay `json`: they hold whatever bytes strangers sent.
"""

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_MOMENTS = {
    "aggregate": "seen_at",
    "alert": "happened_at raised_at acknowledged_at resolved_at snoozed_until",
    "alerted": "told_at",
    "answered": "at",
    "attempt": "at",
    "audit": "at",
    "company": "created_at",
    "counter": "changed_at",
    "dead_letter": "created_at replayed_at",
    "dispute": "at",
    "due": "due_at",
    "forgotten": "at",
    "heartbeat": "seen_at",
    "judgement": "at",
    "learnt": "at",
    "marker": "created_at",
    "member": "since",
    "mention": "experienced_at published_at updated_at collected_at stored_at expires_at edition_at",
    "outbox": "due_at created_at settled_at",
    "person": "created_at",
    "quota_use": "at",
    "quotation": "at",
    "recipient": "created_at alerted_at",
    "report": "created_at",
    "rule": "created_at",
    "saved_filter": "created_at",
    "sign_in": "asked_at",
    "sign_in_code": "asked_at",
    "source": "failing_since polled_at received_at created_at",
    "ticked": "at",
    "token": "created_at expires_at",
    "webhook": "former_until failing_since resting_until created_at",
}
_DAYS = {
    "aggregate": "day",
    "due": "since",
    "marker": "day",
    "mention": "day",
    "rollup": "day",
    "rollup_pending": "day",
    "source": "listening_since",
}
_VALUES = {
    "alert": "facts mention_ids",
    "company": "aliases staff",
    "dispute": "copy",
    "heartbeat": "facts",
    "learnt": "value",
    "mention": "relevance themes because wishes",
    "recipient": "rules",
    "report": "snapshot",
    "rule": "conditions",
    "source": "options cursor findings",
    "token": "scopes",
    "webhook": "events rules mentions",
}
_MICROSECOND = "interval '1 microsecond'"
_REFUSED = r"\\u(0000|d[89a-f])"  # as json.dumps escapes what jsonb may refuse
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in sorted({*_MOMENTS, *_DAYS, *_VALUES}):
        op.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
        values = _VALUES.get(table, "").split()
        if values:
            _replace_refused(table, values)
        changes = [_change(name, "timestamptz", f"'epoch'::timestamptz + \"{name}\" * {_MICROSECOND}")
                   for name in _MOMENTS.get(table, "").split()]  # fmt: skip
        changes += [_change(name, "date", f'"{name}"::date') for name in _DAYS.get(table, "").split()]
        changes += [_change(name, "jsonb", f'"{name}"::jsonb') for name in values]
        op.execute(f'ALTER TABLE "{table}" {", ".join(changes)}')


def _change(column: str, kind: str, value: str) -> str:
    return f'ALTER COLUMN "{column}" TYPE {kind} USING {value}'


def _replace_refused(table: str, columns: Sequence[str]) -> None:
    """Replace U+0000 and halves of surrogate pairs, which `json` accepts and `jsonb` does not."""
    connection = op.get_bind()
    for column in columns:
        suspect = sa.text(f'SELECT ctid::text, "{column}"::text FROM "{table}" WHERE "{column}"::text ~ :refused')
        write = sa.text(f'UPDATE "{table}" SET "{column}" = CAST(:new AS json) WHERE ctid = CAST(:row AS tid)')
        for row, text in connection.execute(suspect, {"refused": _REFUSED}).all():
            value = json.loads(text)
            storable = _storable(value)
            if storable != value:
                connection.execute(write, {"new": json.dumps(storable), "row": row})


def _storable(value: object) -> object:
    if isinstance(value, str):
        whole_pairs = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole_pairs.replace("\0", _UNKNOWN)
    if isinstance(value, Mapping):
        return {_storable(name): _storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value
