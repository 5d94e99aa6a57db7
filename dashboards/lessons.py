"""The guides' texts, read from texts/guides_{fr,en}.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Lesson:
    """One guide: what it is about and why, its steps, and a worked example for each of some trades."""

    name: str
    title: str
    why: str
    steps: tuple[str, ...]
    examples: Mapping[str, str]

    def example_for(self, trade: str | None) -> tuple[str, str]:
        """The trade and the example: the firm's own trade where there is one, else the first."""
        chosen = trade if trade and trade in self.examples else next(iter(self.examples))
        return chosen, self.examples[chosen]


@lru_cache(maxsize=4)
def every(language: str) -> tuple[Lesson, ...]:
    """All guides in `language`, in the order in which one would read them."""
    text = files("dashboards").joinpath("texts", f"guides_{language}.toml").read_text(encoding="utf-8")
    return tuple(
        Lesson(name, one["title"], one["why"], tuple(one["steps"]), one["examples"])
        for name, one in tomllib.loads(text).items()
    )
