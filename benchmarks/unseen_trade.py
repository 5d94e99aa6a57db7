"""What a new trade can expect: `python -m benchmarks.unseen_trade DATA [fr|en]`, printed as a Markdown table.

For each source that the shipped model learns from, a model is trained without it (and without its twin, where two are of
one origin) and measured on its test split, beside the shipped one. Minutes a source.
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.learned import train
from analysis.learned.model import POSITIVE, Model, shipped

# Sources that the model learns from and that have a test split, each with what must go with it.
AWAY: dict[str, dict[str, frozenset[str]]] = {
    "fr": {
        "allocine": frozenset({"allocine", "allocine_stars"}),
        "insurance": frozenset({"insurance"}),
        "tweets_xlmt": frozenset({"tweets_xlmt", "tweets_deft17"}),
        "mabsa_hotel": frozenset({"mabsa_hotel"}),
    },
    "en": {
        "imdb": frozenset({"imdb"}),
        "pros_cons": frozenset({"pros_cons", "cr_products"}),
        "tweeteval": frozenset({"tweeteval", "tweets_xlmt"}),
    },
}


def right(model: Model, rows: Sequence[dict[str, Any]]) -> float:
    """The share of happy and unhappy texts on the right side of zero, in percent."""
    judged = model.judge([row["text"] for row in rows], [False] * len(rows))
    met = [
        (one.score > 0) == (train.CLASSES.index(row["label"]) == POSITIVE)
        for row, one in zip(rows, judged, strict=True)
    ]
    return 100 * sum(met) / len(met)


def main() -> None:
    folder, languages = Path(sys.argv[1]), sys.argv[2:] or list(AWAY)
    warnings.simplefilter("ignore")
    for language in languages:
        rows = train.rows_of(folder, language)
        sys.stdout.write(f"\n| {language}: trade | learnt from | unseen |\n|---|---|---|\n")
        for source, without in AWAY[language].items():
            meant = [
                row for row in rows if row["source"] == source and row["split"] == "test" and row["label"] != "neu"
            ]
            unseen = Model(language, train.trained(rows, language, without))
            sys.stdout.write(f"| {source} | {right(shipped(language), meant):.1f} | {right(unseen, meant):.1f} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
