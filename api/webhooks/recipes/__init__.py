"""Ready templates for CRMs and team chats: one file each, made of what the platform's public documentation asks for."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from api.webhooks import templates
from vigie.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to send to one platform. `asks` names what only the owner knows, each with what it is."""

    name: str
    title: str
    does: str
    documentation: str
    url: str
    asks: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    def prepare(self, given: Mapping[str, str]) -> tuple[str, dict[str, str], Any]:
        """The address, headers and template with what the owner gave. Raises `InvalidInputError` naming what lacks."""
        missing = [name for name in self.asks if not given.get(name, "").strip()]
        if missing or set(given) - set(self.asks):
            asked = "; ".join(f"{name}: {what}" for name, what in self.asks.items())
            raise InvalidInputError(f"{self.title} needs these, and no others: {asked}")
        values = {name: value.strip() for name, value in given.items()}
        try:
            url, headers, body = (templates.fill(part, values) for part in (self.url, self.headers, self.body))
        except ValueError as error:
            raise InvalidInputError(f"{self.title}: a number is asked for, {error}") from error
        return url, headers, body


@cache
def shipped() -> dict[str, Recipe]:
    """Every recipe by its name."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".toml")]
    found = {name: _read(name, file) for file in files if (name := file.name.removesuffix(".toml"))}
    return dict(sorted(found.items()))


def named(name: str) -> Recipe:
    """Raises `InvalidInputError` for one that is not shipped."""
    if name not in shipped():
        raise InvalidInputError(f"there is no recipe {name[:40]!r}: {', '.join(shipped())}")
    return shipped()[name]


def _read(name: str, file: Any) -> Recipe:
    said = tomllib.loads(file.read_text(encoding="utf-8"))
    return Recipe(name, **{"headers": {}, **said})
