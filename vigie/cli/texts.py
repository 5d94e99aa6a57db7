"""Texts of one's own: score them, or measure the engines on labelled ones."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from vigie.cli.house import say, tell

_BATCH = 1_024
_MOST_TEXT = 20_000  # characters, as at ingest


def add_to(app: typer.Typer) -> None:
    app.command()(score)
    app.command()(evaluate)


def score(
    use_rating: Annotated[bool, typer.Option(help="let a given rating decide the label")] = False,
    keep: Annotated[bool, typer.Option(help='pass other fields through, under "input"')] = False,
    engine: Annotated[str, typer.Option(help="learned, lexicon, published, or onnx:FOLDER")] = "learned",
) -> None:
    """Read JSON lines with a `text` from standard input; write what each says, in order.

    Example: echo '{"text": "Accueil charmant mais trop cher."}' | vigie score
    """
    failed = 0
    lines = enumerate(sys.stdin.buffer, start=1)
    while batch := list(islice(lines, _BATCH)):
        for shown in _scored(batch, use_rating, keep, engine):
            failed += "error" in shown
            say(json.dumps(shown, ensure_ascii=False))
    if failed:
        tell(f"{failed} lines could not be read; each says why in its place")
        raise typer.Exit(1)


def evaluate(
    file: Annotated[Path, typer.Argument(help="JSON lines: text, language, label (negative, neutral, positive)")],
) -> None:
    """Measure every engine on a labelled file: share right on happy and unhappy texts, and macro-F1 over three.

    Example: vigie evaluate my-reviews.jsonl
    """
    from analysis import evaluation
    from vigie.errors import InvalidInputError

    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        labelled = [evaluation.labelled(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"{file} is no file of labelled lines: {error}") from error
    for line in evaluation.table({file.name: labelled}):
        say(line)


def _scored(batch: Sequence[tuple[int, bytes]], use_rating: bool, keep: bool, engine: str) -> Iterator[dict[str, Any]]:
    from analysis import reading

    asked, shown = [], []
    for number, line in batch:
        try:
            given = _checked(line)
        except (ValueError, RecursionError) as error:
            shown.append({"error": str(error), "line": number})
            continue
        rating = given.get("rating") if use_rating else None
        asked.append(reading.Asked(given["text"][:_MOST_TEXT], None, given.get("language"), rating))
        others = {name: value for name, value in given.items() if name not in {"text", "language", "rating"}}
        shown.append({"input": others} if keep else {})
    readings = iter(reading.read_all(asked, engine))
    for one in shown:
        yield one if "error" in one else {**_reading(next(readings)), **one}


def _checked(line: bytes) -> dict[str, Any]:
    """A line's object; raises `ValueError`, in plain words, for what is none or holds what is none."""
    try:
        given = json.loads(line.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"not a line of JSON: {error}") from None
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        raise ValueError('wants an object with a "text"')
    rating = given.get("rating")
    if rating is not None and (isinstance(rating, bool) or not isinstance(rating, int | float) or not 0 <= rating <= 5):
        raise ValueError('"rating" is a number from 0 to 5')
    if not isinstance(given.get("language", ""), str | None):
        raise ValueError('"language" is a text')
    return given


def _reading(one: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "language": one.language,
        "label": one.label,
        "score": one.score,
        "confidence": one.confidence,
        "mixed": one.mixed,
        "themes": [opinion._asdict() for opinion in one.themes],
        "because": [list(pair) for pair in one.because],
        "wishes": [asdict(wish) for wish in one.wishes],
        "contradicts": one.contradicts,
    }
