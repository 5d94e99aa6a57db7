"""How texts sound: engines that judge pieces of text, one behind the other's interface.

`learned` is the product's own; `published` are vaderSentiment for English and textblob-fr for French as they come;
`lexicon` is ours alone. They are measured side by side (docs/model-card.md). `onnx:FOLDER` is a firm's own transformer.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np

from analysis.columns import Floats
from analysis.learned.model import shipped
from analysis.lexicon import Because, Lexicon
from analysis.tokens import Tokens, cut
from vigie.errors import SettingsError

Label = Literal["negative", "neutral", "positive"]
LABELS: tuple[Label, ...] = get_args(Label)
ENGINES = ("learned", "lexicon", "published")

SURE = 0.5  # below this confidence a mention without stars is to be checked, and alerts nobody by itself
CUT = 0.05  # VADER's own threshold between neutral and the rest (Hutto & Gilbert 2014)
_EVEN = np.ones(3)
_CAUTION = np.array([1.0, 1.25, 1.0])  # neutral is said where it is nearly as likely: the least harmful error
_MOST_TEXT = 2_000  # VADER takes time that grows with the square of a text's length


class Heard(NamedTuple):
    """A text: `score` between -1 and 1, `confidence` between 0 and 1, and the words that weighed."""

    label: Label
    score: float
    confidence: float
    because: Because


class Engine(Protocol):
    """Judges texts of one language."""

    name: str

    def hear(self, tokens: Tokens) -> tuple[list[Heard], Floats]:
        """Each text, and the score of each clause, which means nothing for one without a word."""


class Learned:
    """The model that comes with the product; its confidence is a calibrated probability."""

    name = "learned"

    def __init__(self, language: str) -> None:
        self._model = shipped(language)

    def hear(self, tokens: Tokens) -> tuple[list[Heard], Floats]:
        texts, clauses, because = self._model.judge(tokens)
        return list(_judged(tokens.texts, texts, _CAUTION, because)), _scores(clauses)


class Own:
    """A transformer in a folder of the firm's; it gives no words as its reason."""

    name = "onnx"

    def __init__(self, folder: Path) -> None:
        from analysis.transformer import Transformer

        self._model = Transformer(folder)

    def hear(self, tokens: Tokens) -> tuple[list[Heard], Floats]:
        judged = self._model.judge(tokens.texts)
        return list(_judged(tokens.texts, judged)), _scores(self._model.judge(list(tokens.clauses())))


class ByWords:
    """An engine that gives a text one score, cut at ±0.05 into three."""

    def __init__(self, name: str, scorer: Any) -> None:
        self.name = name
        self._scorer = scorer

    def hear(self, tokens: Tokens) -> tuple[list[Heard], Floats]:
        texts, clauses = (list(map(self._heard, these)) for these in (tokens.texts, tokens.clauses()))
        return texts, np.array([one.score for one in clauses])

    def _heard(self, text: str) -> Heard:
        score, because = self._scorer.score(text[:_MOST_TEXT])
        # Not a probability: these engines give none. A strong score is surer than a weak one.
        confidence = round(0.4 + 0.5 * min(1.0, abs(score) / 0.6), 2)
        return Heard(label_of(score), round(max(-1.0, min(1.0, score)), 3), confidence, because)


class Vader:
    """English, by vaderSentiment."""

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer: Any = SentimentIntensityAnalyzer()

    def score(self, text: str) -> tuple[float, Because]:
        words = [word.strip(".,;:!?\"'()«»").lower() for word in text.split()]
        lexicon = self._analyzer.lexicon
        because = tuple((word, round(lexicon[word] / 4, 2)) for word in words if word in lexicon)
        return self._analyzer.polarity_scores(text)["compound"], because


class Pattern:
    """French, by textblob-fr's PatternAnalyzer, which needs no corpus."""

    def __init__(self) -> None:
        from textblob_fr import PatternAnalyzer
        from textblob_fr.fr import sentiment as lexicon

        self._analyzer: Any = PatternAnalyzer()
        self._lexicon: Any = lexicon

    def score(self, text: str) -> tuple[float, Because]:
        score = float(self._analyzer.analyze(text)[0])
        words = [word.strip(".,;:!?\"'()«»").lower() for word in text.replace("’", " ").replace("'", " ").split()]
        known = [(word, round(self._lexicon[word][None][0], 2)) for word in words if word in self._lexicon]
        return score, tuple((word, weight) for word, weight in known if weight)


@lru_cache(maxsize=8)
def engine_for(language: str, name: str = "learned") -> Engine:
    """The engine that reads `language`, one of `ENGINES` or `onnx:FOLDER`; made once for each process, as it takes part
    of a second to load. Raises `SettingsError`."""
    if name.startswith("onnx:"):
        return _own(Path(name.removeprefix("onnx:")))
    if name == "learned":
        return Learned(language)
    if name == "lexicon":
        return ByWords(name, Lexicon(language))
    if name == "published":
        return ByWords(name, Vader() if language == "en" else Pattern())
    raise SettingsError(f"{name!r} is no engine: {', '.join(ENGINES)}, or onnx: and a folder")


@lru_cache(maxsize=1)
def _own(folder: Path) -> Own:
    """One for all languages: a transformer is large."""
    return Own(folder)


def label_of(score: float) -> Label:
    """The class of a score."""
    return "positive" if score >= CUT else "negative" if score <= -CUT else "neutral"


def judge(engine: Engine, texts: Sequence[str]) -> list[Heard]:
    """Each text, whole."""
    return engine.hear(cut(texts))[0]


def _judged(
    texts: Sequence[str], probabilities: Floats, caution: Floats = _EVEN, because: Sequence[Because] | None = None
) -> Iterator[Heard]:
    best = (probabilities * caution).argmax(axis=1)
    sure = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0].round(2).tolist()
    labels = [LABELS[one] for one in best.tolist()]
    heard = map(Heard, labels, _scores(probabilities).tolist(), sure, because or [()] * len(texts))
    for text, one in zip(texts, heard, strict=True):
        yield one if text.strip() else Heard("neutral", 0.0, 0.0, ())


def _scores(probabilities: Floats) -> Floats:
    return (probabilities[:, 2] - probabilities[:, 0]).round(3)
