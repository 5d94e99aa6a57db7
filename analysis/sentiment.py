"""How texts sound: engines that judge pieces of text, one behind the other's interface.

`learned` is the product's own; `published` are vaderSentiment for English and textblob-fr for French as they come;
`lexicon` is ours alone. All are kept measured side by side (docs/model-card.md).
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
import numpy.typing as npt

from analysis.lexicon import Because, Lexicon
from analysis.tokens import Tokens, cut

Label = Literal["negative", "neutral", "positive"]
EngineName = Literal["learned", "lexicon", "published"]
LABELS: tuple[Label, ...] = get_args(Label)

SURE = 0.5  # below this confidence a mention without stars is to be checked, and alerts nobody by itself
CUT = 0.05  # VADER's own threshold between neutral and the rest (Hutto & Gilbert 2014)
_MOST_TEXT = 2_000  # VADER takes time that grows with the square of a text's length


class Heard(NamedTuple):
    """A piece of text: `score` between -1 and 1, `confidence` between 0 and 1, and the words that weighed."""

    text: str
    label: Label
    score: float
    confidence: float
    because: Because


class Engine(Protocol):
    """Judges texts of one language."""

    name: str

    def hear(self, tokens: Tokens) -> tuple[list[Heard], list[Heard]]:
        """Each text, with the words that weighed, and each clause."""


class Learned:
    """The model that comes with the product; its confidence is a calibrated probability."""

    name = "learned"

    def __init__(self, language: str) -> None:
        from analysis.learned.model import shipped

        self._model = shipped(language)

    def hear(self, tokens: Tokens) -> tuple[list[Heard], list[Heard]]:
        texts, clauses, because = self._model.judge(tokens)
        return list(_judged(tokens.texts, texts, because)), list(_judged(tokens.clauses(), clauses))


class ByWords:
    """An engine that gives a text one score, cut at ±0.05 into three."""

    def __init__(self, name: str, scorer: Any) -> None:
        self.name = name
        self._scorer = scorer

    def hear(self, tokens: Tokens) -> tuple[list[Heard], list[Heard]]:
        return [self._heard(text) for text in tokens.texts], [self._heard(clause) for clause in tokens.clauses()]

    def _heard(self, text: str) -> Heard:
        score, because = self._scorer.score(text[:_MOST_TEXT])
        # Not a probability: these engines give none. A strong score is surer than a weak one.
        confidence = round(0.4 + 0.5 * min(1.0, abs(score) / 0.6), 2)
        return Heard(text, label_of(score), round(max(-1.0, min(1.0, score)), 3), confidence, because)


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
def engine_for(language: str, name: EngineName = "learned") -> Engine:
    """The engine that reads `language`; made once for each process, as it takes part of a second to load."""
    if name == "learned":
        return Learned(language)
    if name == "lexicon":
        return ByWords(name, Lexicon(language))
    return ByWords(name, Vader() if language == "en" else Pattern())


def label_of(score: float) -> Label:
    """The class of a score."""
    return "positive" if score >= CUT else "negative" if score <= -CUT else "neutral"


def judge(engine: Engine, texts: Sequence[str]) -> list[Heard]:
    """Each text, whole."""
    return engine.hear(cut(texts))[0]


def _judged(
    texts: Sequence[str], probabilities: npt.NDArray[np.float64], because: Sequence[Because] | None = None
) -> Iterator[Heard]:
    best = probabilities.argmax(axis=1).tolist()
    sure = probabilities.max(axis=1).round(2).tolist()
    scores = (probabilities[:, 2] - probabilities[:, 0]).round(3).tolist()
    for text, label, score, confidence, words in zip(
        texts, best, scores, sure, because or [()] * len(texts), strict=True
    ):
        if text.strip():
            yield Heard(text, LABELS[label], score, confidence, words)
        else:
            yield Heard(text, "neutral", 0.0, 0.0, ())
