"""One mention, read: language, sentiment, themes. Pure; what later models replace."""

from dataclasses import dataclass

from analysis import language, sentiment, themes
from analysis.sentiment import Because, Label
from analysis.themes import Opinion

ANALYSER = "lexicons-1"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mention says. `score` is between -1 and 1, `confidence` between 0 and 1."""

    language: str
    label: Label
    score: float
    confidence: float
    mixed: bool
    themes: tuple[Opinion, ...]
    because: Because


def read(
    text: str, *, title: str | None = None, hint: str | None = None, rating: float | None = None, default: str = "fr"
) -> Reading:
    """Read a text. A `rating` (on five), where the customer gave one, decides the label; the words remain beside it."""
    whole = f"{title.rstrip('.!?… ')}.\n{text}" if title and title not in text else text
    spoken = language.detect(whole, hint, "en" if default == "en" else "fr")
    heard = sentiment.read(whole, spoken)
    stars = None if rating is None else max(-1.0, (rating - 3) / 2)
    opinions = themes.opinions(heard.sentences, spoken, stars)
    if rating is None or stars is None:
        return Reading(spoken, heard.label, heard.score, heard.confidence, heard.mixed, opinions, heard.because)
    score = round(0.7 * stars + 0.3 * heard.score, 3) if heard.sentences else stars
    because = ((f"{rating:g}/5", round(stars, 2)), *heard.because)
    return Reading(spoken, label_of_rating(rating), score, 0.95, heard.mixed, opinions, because[:8])


def label_of_rating(rating: float) -> Label:
    """Two stars and fewer complain, four and more praise."""
    return "negative" if rating <= 2.25 else "positive" if rating >= 3.75 else "neutral"
