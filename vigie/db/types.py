"""Column types that mean the same on both databases, in each database's own form.

SQLite has neither moments nor days: there they are numbers and texts that sort. PostgreSQL has both, and `jsonb`, so
that its own tools and those for business intelligence read the tables without converting anything.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, DateTime, Dialect, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Instant(TypeDecorator[datetime]):
    """An aware moment: `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite. Both sort and return exactly."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        is_postgresql = dialect.name == "postgresql"
        return dialect.type_descriptor(DateTime(timezone=True) if is_postgresql else BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        if value is None or dialect.name == "postgresql":
            return value
        return microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # A pooler may drop our time zone, and then PostgreSQL answers in its own.
        return value.astimezone(UTC) if isinstance(value, datetime) else moment(value)


class Day(TypeDecorator[str]):
    """A day as YYYY-MM-DD: `date` on PostgreSQL, the text itself on SQLite."""

    impl = String(10)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Date() if dialect.name == "postgresql" else String(10))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | date | None:
        if value is None or dialect.name != "postgresql":
            return value
        return date.fromisoformat(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return value.isoformat() if isinstance(value, date) else value


class Json(TypeDecorator[Any]):
    """A value of JSON: `jsonb` on PostgreSQL, which keeps no order of keys and takes neither U+0000 nor half of a
    surrogate pair; each of those is stored as U+FFFD there."""

    impl = JSON
    cache_ok = True

    def __init__(self, none_as_null: bool = False) -> None:
        super().__init__(none_as_null=none_as_null)
        self.none_as_null = none_as_null

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        chosen = JSONB if dialect.name == "postgresql" else JSON
        return dialect.type_descriptor(chosen(none_as_null=self.none_as_null))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return storable(value) if dialect.name == "postgresql" else value


def microseconds(value: datetime) -> int:
    """Return a moment as whole microseconds since 1970."""
    return (value - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """Return the moment that lies so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=value)


def storable(value: Any) -> Any:
    """Return a value of JSON in which each character that `jsonb` refuses is replaced."""
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, Mapping):
        return {storable(name): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def _storable_text(text: str) -> str:
    if text.isascii():
        return text.replace("\0", _UNKNOWN)
    whole_pairs = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole_pairs.replace("\0", _UNKNOWN)
