"""Read option values that may be secret without having them on the command line."""

import sys
from collections.abc import Mapping
from pathlib import Path

import typer

_MAX_CHARS = 10_000


def read_values(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values, with `-` replaced by what is typed or piped in, and `@FILE` by what the file holds.

    Arguments stand in `ps` and in the history of the shell.
    """
    return {name: read_value(name, value) for name, value in values.items()}


def read_value(name: str, value: str) -> str:
    """Return one value, as `read_values` does."""
    if value == "-":
        return _prompt(name)
    if value.startswith("@"):
        return _read_file(name, Path(value[1:]))
    return value


def _prompt(name: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(name, hide_input=True, err=True)).strip()
    return sys.stdin.readline(_MAX_CHARS).strip()


def _read_file(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")[:_MAX_CHARS].strip()
    except (OSError, UnicodeError) as error:
        raise typer.BadParameter(f"{name}: {path} cannot be read: {error}") from error
