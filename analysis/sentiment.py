"""How a text sounds: engines that give a sentence a score, and how sentences make a text.

An engine is chosen by language. VADER reads English, textblob-fr's PatternAnalyzer French; a later model takes their
place behind the same interface.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

from analysis.words import sentences

Label = Literal["negative", "neutral", "positive"]
Because = tuple[tuple[str, float], ...]

CUT = 0.05  # VADER's own threshold between neutral and the rest (Hutto & Gilbert 2014)
_MIXED = 0.3
_MOST_SENTENCES = 60  # VADER takes time that grows with the square of a text's length


@dataclass(frozen=True, slots=True)
class Heard:
    """One sentence with its score (-1 to 1) and the words that made it."""

    text: str
    score: float
    because: Because


@dataclass(frozen=True, slots=True)
class Sentiment:
    """A whole text's. `confidence` is between 0 and 1; `mixed` says that it praises and blames."""

    label: Label
    score: float
    confidence: float
    mixed: bool
    because: Because
    sentences: tuple[Heard, ...]


class Engine(Protocol):
    """Scores one sentence."""

    name: str

    def score(self, sentence: str) -> tuple[float, Because]:
        """Its score between -1 and 1, and the words that weighed, each with its own."""


class Vader:
    """English, by vaderSentiment."""

    name = "vader"

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer: Any = SentimentIntensityAnalyzer()

    def score(self, sentence: str) -> tuple[float, Because]:
        words = [word.strip(".,;:!?\"'()«»").lower() for word in sentence.split()]
        lexicon = self._analyzer.lexicon
        because = tuple((word, round(lexicon[word] / 4, 2)) for word in words if word in lexicon)
        return self._analyzer.polarity_scores(sentence)["compound"], because


class Pattern:
    """French, by textblob-fr's PatternAnalyzer, which needs no corpus."""

    name = "textblob-fr"

    def __init__(self) -> None:
        from textblob_fr import PatternAnalyzer
        from textblob_fr.fr import sentiment as lexicon

        self._analyzer: Any = PatternAnalyzer()
        self._lexicon: Any = lexicon

    def score(self, sentence: str) -> tuple[float, Because]:
        score = float(self._analyzer.analyze(sentence)[0])
        words = [word.strip(".,;:!?\"'()«»").lower() for word in sentence.replace("’", " ").replace("'", " ").split()]
        known = [(word, round(self._lexicon[word][None][0], 2)) for word in words if word in self._lexicon]
        return score, tuple((word, weight) for word, weight in known if weight)


@lru_cache(maxsize=4)
def engine_for(language: str) -> Engine:
    """The engine that reads `language`; made once for each process, as its lexicon takes a second to load."""
    return Vader() if language == "en" else Pattern()


def label_of(score: float) -> Label:
    """The class of a score."""
    return "positive" if score >= CUT else "negative" if score <= -CUT else "neutral"


def read(text: str, language: str) -> Sentiment:
    """The sentiment of `text`, sentence by sentence, weighed by length in words (at most 20 each)."""
    engine = engine_for(language)
    heard = tuple(Heard(one, *engine.score(one)) for one in sentences(text)[:_MOST_SENTENCES])
    weights = [min(20, len(one.text.split())) for one in heard]
    score = sum(one.score * weight for one, weight in zip(heard, weights, strict=True)) / (sum(weights) or 1)
    scores = [one.score for one in heard] or [0.0]
    mixed = max(scores) >= _MIXED and min(scores) <= -_MIXED
    because = sorted((pair for one in heard for pair in one.because), key=lambda pair: -abs(pair[1]))
    return Sentiment(
        label=label_of(score),
        score=round(max(-1.0, min(1.0, score)), 3),
        confidence=_confidence(score, mixed),
        mixed=mixed,
        because=tuple(dict.fromkeys(because))[:8],
        sentences=heard,
    )


def _confidence(score: float, mixed: bool) -> float:
    """Not a probability: these engines give none. A strong score is surer than a weak one, a mixed text less sure."""
    sure = 0.4 + 0.5 * min(1.0, abs(score) / 0.6)
    return round(sure * (0.6 if mixed else 1.0), 2)
