"""What customers begin to speak of: words and pairs of words that rise against the firm's own past. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from analysis.chances import fisher
from analysis.language import SMALL_WORDS
from analysis.tokens import sentences, sentences_of
from analysis.words import folded, lemma, lemmas

LEAST_VOICES = 4
_CHANCE = 0.001  # of some hundred words looked at, one in ten looks finds one that rose by chance alone
_MOST = 3
_SHORTEST = 4  # letters


class Said(NamedTuple):
    text: str
    language: str


class Rising(NamedTuple):
    """A subject: its words as written, how many texts of now and of before hold it, a quote, and its lemmas."""

    words: str
    now: int
    of_now: int
    before: int
    of_before: int
    quote: str
    term: str


def rising(now: Sequence[Said], before: Sequence[Said], known: Collection[str] = ()) -> list[Rising]:
    """At most three subjects that rose, the surest first; `known` words, as the firm's name, are none.

    By Fisher's exact test over texts and not words, so that one angry customer is one voice. On the few texts of a
    small firm it is surer than log-odds with a prior (Monroe, Colaresi & Quinn 2008), whose normal approximation
    lets a word that was never said before hide behind its own doubt.
    """
    if len(now) < LEAST_VOICES or len(before) < LEAST_VOICES:
        return []
    ours, past = _terms(now, known), _terms(before, known)
    here, there = Counter(_each(ours)), Counter(_each(past))
    chances = {
        term: fisher(count, len(ours), there[term], len(past)) for term, count in here.items() if count >= LEAST_VOICES
    }
    risen = sorted(
        (term for term, chance in chances.items() if chance <= _CHANCE),
        key=lambda term: (chances[term], -len(term), term),
    )
    found: list[Rising] = []
    held: list[set[int]] = []
    for term in risen:
        voices = {at for at, terms in enumerate(ours) if term in terms}
        if any(len(voices & other) * 2 > len(voices) for other in held):
            continue  # the same texts under another word
        held.append(voices)
        words, quote = _shown(term, now[min(voices)])
        found.append(Rising(words, len(voices), len(ours), there[term], len(past), quote, term))
    return found[:_MOST]


def _terms(texts: Sequence[Said], known: Collection[str]) -> list[set[str]]:
    """Of each text the lemmas that mean something, and pairs of neighbours among them."""
    parts = sentences_of([one.text for one in texts])
    return [_terms_of(sentences, said.language, known) for sentences, said in zip(parts, texts, strict=True)]


def _terms_of(sentences: Iterable[str], language: str, known: Collection[str]) -> set[str]:
    small = _small(language)
    tongue = "en" if language == "en" else "fr"
    terms: set[str] = set()
    for sentence in sentences:
        words = lemmas(sentence, tongue)
        telling = [len(word) >= _SHORTEST and word not in small and word not in known for word in words]
        terms |= {word for word, tells in zip(words, telling, strict=True) if tells}
        pairs = zip(words, words[1:], telling, telling[1:], strict=False)
        terms |= {f"{first} {second}" for first, second, one, other in pairs if one and other}
    return terms


@lru_cache(maxsize=4)
def _small(language: str) -> frozenset[str]:
    return frozenset(map(folded, SMALL_WORDS.get(language, ())))


def _each(texts: Iterable[set[str]]) -> Iterable[str]:
    return (term for terms in texts for term in terms)


def _shown(term: str, said: Said) -> tuple[str, str]:
    """The term as it was written in a text that holds it, and the sentence around it."""
    wanted = set(term.split())
    tongue = "en" if said.language == "en" else "fr"
    for sentence in sentences(said.text):
        if wanted <= set(lemmas(sentence, tongue)):
            written = [word for word in sentence.replace("’", "'").split() if _lemma(word, tongue) in wanted]
            return " ".join(_bare(word) for word in written[: len(wanted)]).lower() or term, sentence
    return term, said.text


def _bare(word: str) -> str:
    return word.rpartition("'")[2].strip('.,;:!?…"«»()')


def _lemma(word: str, language: str) -> str:
    return lemma(_bare(word).lower(), language)
