"""How well the engines read labelled texts: the same figures for each, side by side."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from analysis import sentiment
from analysis.chances import wilson
from analysis.sentiment import ENGINES, LABELS, Heard

_SHORT = {"neg": "negative", "neu": "neutral", "pos": "positive"}


class Labelled(NamedTuple):
    text: str
    language: str
    label: str


class Figures(NamedTuple):
    """`right` of `polar` happy and unhappy texts by the sign of the score; macro-F1 over three labels; calibration; how
    often right where it is sure, how often that is, and how often right on the surer half."""

    right: int
    polar: int
    f1: float
    calibration_error: float
    sure_right: float
    sure: float
    half_right: float


def labelled(row: Mapping[str, Any]) -> Labelled:
    """A row of a labelled file. Raises `ValueError` for what is none."""
    label = _SHORT.get(row["label"], row["label"])
    if label not in LABELS or not isinstance(row["text"], str):
        raise ValueError(f"{row['label']!r} is none of {', '.join(LABELS)}")
    return Labelled(row["text"], "en" if row.get("language") == "en" else "fr", label)


def measured(rows: Sequence[Labelled], engine: str) -> Figures:
    """One engine's figures on one set."""
    heard: list[tuple[str, Heard]] = []
    for language in ("fr", "en"):
        ours = [row for row in rows if row.language == language]
        if ours:
            judged = sentiment.judge(sentiment.engine_for(language, engine), [row.text for row in ours])
            heard += zip((row.label for row in ours), judged, strict=True)
    polar = [(label, one) for label, one in heard if label != "neutral"]
    pairs = [(one.confidence, label == one.label) for label, one in heard]
    sure = [right for confidence, right in pairs if confidence >= 0.8]
    return Figures(
        right=sum((one.score > 0) == (label == "positive") for label, one in polar),
        polar=len(polar),
        f1=_macro_f1([(label, one.label) for label, one in heard]),
        calibration_error=_calibration_error(pairs),
        sure_right=sum(sure) / (len(sure) or 1),
        sure=len(sure) / (len(heard) or 1),
        half_right=_half_right(pairs),
    )


def table(sets: Mapping[str, Sequence[Labelled]]) -> Iterator[str]:
    """Lines of a Markdown table: every set under every engine, with Wilson's 95 % interval."""
    yield "| set | engine | right on happy/unhappy | macro-F1 | calibration error | right where confidence ≥ .8 |"
    yield "|---|---|---|---|---|---|"
    for name, rows in sets.items():
        for engine in ENGINES:
            one = measured(rows, engine)
            doubt = wilson(one.right, one.polar) if one.polar else None
            share = (
                f"{100 * one.right / one.polar:.1f} ({100 * doubt.low:.1f}–{100 * doubt.high:.1f})" if doubt else "–"
            )
            sure = f"{100 * one.sure_right:.1f} on {100 * one.sure:.0f} %" if engine == "learned" else "–"
            error = f"{one.calibration_error:.3f}" if engine == "learned" else "–"
            yield f"| {name} | {engine} | {share} | {one.f1:.3f} | {error} | {sure} |"


def _macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """The mean of F1 over the labels that occur in the set."""
    scores = []
    for label in {meant for meant, _ in pairs}:
        both = sum(meant == said == label for meant, said in pairs)
        either = sum(meant == label for meant, _ in pairs) + sum(said == label for _, said in pairs)
        scores.append(2 * both / either)
    return sum(scores) / (len(scores) or 1)


def _half_right(pairs: Sequence[tuple[float, bool]]) -> float:
    """The share of right ones among the surer half; of those as sure as the last of it, a part."""
    half = len(pairs) / 2
    edge = sorted((sure for sure, _ in pairs), reverse=True)[len(pairs) // 2] if pairs else 0.0
    above = [right for sure, right in pairs if sure > edge]
    there = [right for sure, right in pairs if sure == edge]
    return (sum(above) + (half - len(above)) * sum(there) / (len(there) or 1)) / (half or 1)


def _calibration_error(pairs: Sequence[tuple[float, bool]]) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al. 2017)."""
    total = 0.0
    for first in range(10):
        ours = [(sure, right) for sure, right in pairs if min(9, int(sure * 10)) == first]
        total += abs(sum(sure for sure, _ in ours) - sum(right for _, right in ours))
    return total / (len(pairs) or 1)
