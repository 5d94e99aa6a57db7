"""How texts sound: engines that judge pieces of text, one behind the other's interface.

`learned` is the product's own; `published` are vaderSentiment for English and textblob-fr for French as they come;
`lexicon` is ours alone. All are kept measured side by side (docs/model-card.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from analysis.lexicon import Because, Lexicon

if TYPE_CHECKING:
    from analysis.learned.model import Judged

Label = Literal["negative", "neutral", "positive"]
EngineName = Literal["learned", "lexicon", "published"]
LABELS: tuple[Label, ...] = get_args(Label)

SURE = 0.5  # below this confidence a mention without stars is to be checked, and alerts nobody by itself
CUT = 0.05  # VADER's own threshold between neutral and the rest (Hutto & Gilbert 2014)
_MOST_TEXT = 2_000  # VADER takes time that grows with the square of a text's length


@dataclass(frozen=True, slots=True)
class Heard:
    """A piece of text: `score` between -1 and 1, `confidence` between 0 and 1, and the words that weighed."""

    text: str
    label: Label
    score: float
    confidence: float
    because: Because


class Engine(Protocol):
    """Judges pieces of text of one language."""

    name: str

    def judge(self, texts: Sequence[str], explained: Sequence[bool] | None = None) -> list[Heard]:
        """Each text, in order; where `explained` is given, with its words only where that is true."""


class Learned:
    """The model that comes with the product; its confidence is a calibrated probability."""

    name = "learned"

    def __init__(self, language: str) -> None:
        from analysis.learned.model import shipped

        self._model = shipped(language)

    def judge(self, texts: Sequence[str], explained: Sequence[bool] | None = None) -> list[Heard]:
        judged = self._model.judge(texts, [True] * len(texts) if explained is None else explained)
        return [_of_judged(text, one) for text, one in zip(texts, judged, strict=True)]


class ByWords:
    """An engine that gives a text one score, cut at ±0.05 into three."""

    def __init__(self, name: str, scorer: Any) -> None:
        self.name = name
        self._scorer = scorer

    def judge(self, texts: Sequence[str], explained: Sequence[bool] | None = None) -> list[Heard]:
        return [self._heard(text, *self._scorer.score(text[:_MOST_TEXT])) for text in texts]

    def _heard(self, text: str, score: float, because: Because) -> Heard:
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


def _of_judged(text: str, one: "Judged") -> Heard:
    if not text.strip():
        return Heard(text, "neutral", 0.0, 0.0, ())
    confidence = max(one.probabilities)
    label = LABELS[one.probabilities.index(confidence)]
    return Heard(text, label, round(one.score, 3), round(confidence, 2), one.because)
