"""What a new source and a new trade can expect: `python -m benchmarks.unseen_trade DATA > docs/model-unseen.md`.

For each test split a model is trained without the texts of its source, and one without any text of its trade; both are
measured beside the shipped one. Minutes a model.
"""

import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from analysis.learned import labelled, lessons, train
from analysis.learned.model import NEGATIVE, POSITIVE, Model, shipped
from analysis.tokens import cut

_AT_ONCE = 500  # texts


class Trade(NamedTuple):
    """The sources of a trade that a model can learn from, and the test splits of it."""

    learnt: frozenset[str]
    tested: tuple[str, ...]


TRADES = {
    "fr": {
        "films": Trade(frozenset({"allocine", "allocine_stars"}), ("allocine", "allocine_series")),
        "insurance": Trade(frozenset({"insurance"}), ("insurance",)),
        "tweets": Trade(frozenset({"tweets_xlmt", "tweets_deft17"}), ("tweets_xlmt",)),
        "hotels": Trade(frozenset({"mabsa_hotel"}), ("mabsa_hotel",)),
    },
    "en": {
        "films": Trade(frozenset({"imdb"}), ("imdb", "uci_imdb", "vader_movieReviewSnippets")),
        "tweets": Trade(frozenset({"tweeteval", "tweets_xlmt"}), ("tweeteval", "tweets_xlmt", "vader_tweets")),
        "products": Trade(
            frozenset({"pros_cons", "cr_products", "mabsa_phone", "mabsa_laptop"}),
            ("pros_cons", "uci_amazon", "vader_amazonReviewSnippets"),
        ),
        "restaurants": Trade(frozenset({"mabsa_restaurant", "mabsa_food"}), ("se14en_rest",)),
        "press": Trade(frozenset(), ("vader_nytEditorialSnippets",)),
    },
}


def main() -> None:
    warnings.simplefilter("ignore")
    print("# Sources and trades that the model never saw\n")
    print("Made by `python -m benchmarks.unseen_trade DATA`; right on happy and unhappy, test splits.")
    for language in TRADES:
        print(f"\n## {language}\n")
        for line in _table(labelled.rows_of(Path(sys.argv[1]), language), language):
            print(line, flush=True)


def _table(rows: Sequence[dict[str, Any]], language: str) -> Iterator[str]:
    learnt = {row["source"] for row in rows if labelled.may_learn(row)}

    @cache
    def trained(without: frozenset[str]) -> Model:
        if not without:
            return shipped(language)
        return Model(language, train.trained(rows, language, without, _lessons(language, without)))

    yield "| trade | set | the shipped model | trained without the source | trained without the trade |"
    yield "|---|---|---|---|---|"
    figures = []
    for name, trade in TRADES[language].items():
        for source in trade.tested:
            meant = [
                row for row in rows if row["source"] == source and row["split"] == "test" and row["label"] != "neu"
            ]
            left_out = (frozenset(), learnt & {source}, trade.learnt)
            figures.append([right(trained(frozenset(without)), meant) for without in left_out])
            yield f"| {name} | {source} | {_cells(figures[-1])} |"
    means = [sum(one) / len(figures) for one in zip(*figures, strict=True)]
    yield f"| mean | {len(figures)} sets | {_cells(means)} |"


def _lessons(language: str, without: frozenset[str]) -> lessons.Lessons:
    """Those of a teacher that saw nothing of these sources; none where no such teacher was asked."""
    fitting = [
        path
        for path in sorted(lessons.FOLDER.glob(f"{language}-without-*.npz"))
        if without <= set(path.stem.removeprefix(f"{language}-without-").split("-"))
    ]
    return lessons.unpacked(fitting[0]) if fitting else lessons.Lessons({})


def _cells(shares: Sequence[float]) -> str:
    return " | ".join(f"{one:.1f}" for one in shares)


def right(model: Model, rows: Sequence[dict[str, Any]]) -> float:
    """The share of happy and unhappy texts on the right side of zero, in percent."""
    met = 0
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        chances, _, _ = model.judge(cut([row["text"] for row in part]))
        happy = chances[:, POSITIVE] > chances[:, NEGATIVE]
        met += sum(said == (row["label"] == "pos") for said, row in zip(happy.tolist(), part, strict=True))
    return 100 * met / len(rows)


if __name__ == "__main__":
    main()
