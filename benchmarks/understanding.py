"""Every engine on the test splits of the labelled texts, and its speed beside VADER's: docs/model-figures.md."""

import argparse
import gzip
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

from analysis import evaluation, reading, sentiment
from analysis.evaluation import Labelled
from analysis.language import spoken
from analysis.tokens import cut
from benchmarks import themes

SETS = {
    "fr": ("allocine", "allocine_series", "insurance", "tweets_xlmt", "mabsa_hotel"),
    "en": (
        "vader_tweets", "vader_amazonReviewSnippets", "vader_movieReviewSnippets", "vader_nytEditorialSnippets",
        "uci_imdb", "uci_amazon", "imdb", "pros_cons", "tweeteval", "tweets_xlmt", "se14en_rest",
    ),
}  # fmt: skip
_TURNS = 5
_BATCH = 1_024  # texts read at a time, as `vigie score` reads them
_MOST = 1_000  # texts of one set
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class _Speed(NamedTuple):
    """Of so many `characters` on average; documents per CPU-second against each published engine."""

    texts: str
    characters: float
    ratios: list[float]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--out", type=Path, default=Path("docs/model-figures.md"))
    given = asked.parse_args()
    every = {language: _sets(given.folder, language) for language in SETS}
    with get_context("spawn").Pool(1, maxtasksperchild=1) as alone:
        first = dict(zip(every, alone.starmap(_speeds, every.items(), chunksize=1), strict=True))
    lines = ["# Understanding, measured", "", "Made by `make evaluate`, on test splits that no model learnt from.", ""]
    for language, sets in every.items():
        lines += [f"## {language}", "", *evaluation.table(sets), "", *_means(sets), ""]
        lines += [*_told(first[language], _speeds(language, sets)), ""]
        lines += ["Themes, by the curated vocabulary, and what is said of them:", ""]
        lines += [*themes.table(given.folder, language), ""]
    both = chain.from_iterable(sets.values() for sets in every.values())
    lines += ["## Both languages", "", f"- learned, all sets together: {_trust(both)}", ""]
    lines += ["## Language", "", *_languages(every), ""]
    text = "\n".join(lines)
    print(text)
    given.out.write_text(text, encoding="utf-8")


def _sets(folder: Path, language: str) -> dict[str, list[Labelled]]:
    sets: dict[str, list[Labelled]] = {name: [] for name in SETS[language]}
    with gzip.open(folder / f"sentiment_{language}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["split"] == "test" and row["source"] in sets:
                sets[row["source"]].append(evaluation.labelled({**row, "language": language}))
    return sets


def _languages(every: dict[str, dict[str, list[Labelled]]]) -> list[str]:
    """Of some words in a row of test texts, how many are told to be of their language; without a hint."""
    lines = ["| words | French | English | mean |", "|---|---|---|---|"]
    texts = {language: _written(sets) for language, sets in every.items()}
    for count in (2, 3, 5, 8):
        shares = []
        for language, written in texts.items():
            chance = random.Random(count)
            said = [words for text in written if len(words := _WORD.findall(text)) >= count]
            pieces = [" ".join(words[(at := chance.randrange(len(words) - count + 1)) : at + count]) for words in said]
            # What nothing tells falls to the firm's own language: half of the firms speak French.
            told = [spoken(cut(pieces), [None] * len(pieces), [own] * len(pieces)) for own in ("fr", "en")]
            shares.append(sum(one == language for half in told for one in half) / (2 * len(pieces)))
        french, english = (100 * share for share in shares)
        lines.append(f"| {count} | {french:.1f} | {english:.1f} | {(french + english) / 2:.2f} |")
    return lines


def _written(sets: dict[str, list[Labelled]]) -> list[str]:
    """Reviews: tweets and tokenised texts are another matter."""
    reviews = [rows for name, rows in sets.items() if "tweet" not in name and "series" not in name]
    return [row.text for rows in reviews for row in rows[:_MOST]]


def _means(sets: dict[str, list[Labelled]]) -> list[str]:
    lines = []
    for engine in ("learned", "lexicon", "published"):
        figures = [evaluation.measured(rows, engine) for rows in sets.values()]
        share = sum(100 * one.right / one.polar for one in figures) / len(figures)
        f1 = sum(one.f1 for one in figures) / len(figures)
        lines.append(f"- {engine}: mean right {share:.2f}, mean macro-F1 {f1:.3f}")
    return [*lines, f"- learned, all sets together: {_trust(sets.values())}"]


def _trust(sets: Iterable[Sequence[Labelled]]) -> str:
    """How far confidence may be believed; each text weighs the same, whatever its set."""
    every = evaluation.measured([row for rows in sets for row in rows], "learned")
    sure = f"{100 * every.sure_right:.1f} on {100 * every.sure:.0f} %, on the surer half {100 * every.half_right:.1f}"
    return f"calibration error {every.calibration_error:.3f}, right where sure {sure}"


def _speeds(language: str, sets: dict[str, list[Labelled]]) -> list[_Speed]:
    """Documents per CPU-second of the whole reading against the published engines' sentiment alone, in turns, on texts
    as they are and on long ones: VADER, and for French textblob-fr besides."""
    texts = [row.text for rows in sets.values() for row in rows[:200]]
    kinds = {"as they are": texts[:1_000], "over 800 characters": [one for one in texts if len(one) > 800][:200]}
    published = [sentiment.Vader(), *([sentiment.Pattern()] if language == "fr" else [])]
    found = []
    for name, ours in kinds.items():
        if not ours:
            continue
        batch = [reading.Asked(one, hint=language, default=language) for one in ours]

        def read(batch: Sequence[reading.Asked] = batch) -> object:
            return [reading.read_all(batch[at : at + _BATCH]) for at in range(0, len(batch), _BATCH)]

        read()
        ratios = [
            _ratio(lambda engine=engine, ours=ours: [engine.score(one) for one in ours], read) for engine in published
        ]
        found.append(_Speed(name, sum(map(len, ours)) / len(ours), ratios))
    return found


def _told(first: Sequence[_Speed], later: Sequence[_Speed]) -> list[str]:
    lines = [
        "Reading (sentiment, themes, wishes), against the sentiment of VADER alone and of textblob-fr alone; in a process"
        " that reads nothing else, and in one that knows the words of many other texts:",
        "",
        "| texts | mean characters | VADER | among other texts | textblob-fr | among other texts |",
        "|---|---|---|---|---|---|",
    ]
    for one, after in zip(first, later, strict=True):
        pairs = [f"{a:.1f} | {b:.1f}" for a, b in zip(one.ratios, after.ratios, strict=True)]
        lines.append(f"| {one.texts} | {one.characters:.0f} | {' | '.join([*pairs, '– | –'][:2])} |")
    return lines


def _ratio(alone: Callable[[], object], read: Callable[[], object]) -> float:
    return median(_seconds(alone) / _seconds(read) for _ in range(_TURNS))


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
