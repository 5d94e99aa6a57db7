"""Words, folded and as lemmas: what sentiment, themes and search read."""

import re
import unicodedata
from functools import lru_cache
from itertools import chain

from simplemma import Lemmatizer

# Where a sentence turns: "accueil charmant mais trop cher".
CONTRASTS = (
    "mais", "par contre", "en revanche", "cependant", "toutefois", "néanmoins", "seul bémol", "but", "however",
    "on the other hand",
)  # fmt: skip
# What follows is conceded, up to the comma where the sentence begins with it.
CONCESSIONS = (
    "malgré", "même si", "quoique", "despite", "in spite of", "although", "though", "even though", "even if",
)  # fmt: skip
# Only at the beginning of a sentence: "c'est bien que…", "he smiled while…".
OPENING_CONCESSIONS = ("bien que", "while")
# Here "but" turns nothing.
NO_CONTRASTS = ("nothing but", "anything but", "none but", "choice but", "help but", "last but not least")
# "n't" as it is typed in a hurry.
HASTY_NOTS = frozenset(
    "arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt shouldnt wasnt werent wont wouldnt".split()
)
DRAWN_OUT = re.compile(r"(.)\1\1+")  # "nuuuul"
_TURNING = re.compile(rf"(?:{'|'.join(CONTRASTS)})\b[\s,:]*", re.I)
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_LETTERS = re.compile(r"[^\W_]+")
_MOST_QUOTE = 240
_LONGEST = 40  # letters of a word that a dictionary may know
_LEMMATIZER = Lemmatizer(cache_max_size=0)  # `_lemma` keeps what was asked
_ELIDED = re.compile(r"\b(?:[cdjlmnsty]|qu|jusqu|lorsqu|puisqu|quoiqu)['’](?=\w)", re.I)


def _plain_letters() -> dict[int, str | int | None]:
    """Latin letters without their accents, in lower case; accents that stand alone are dropped. ASCII is itself, as a
    letter that `translate` does not find costs it several times as much."""
    letters: dict[int, str | int | None] = {0x153: "oe", 0xE6: "ae"}
    for point in range(0xC0, 0x250):
        parts = unicodedata.normalize("NFKD", chr(point))
        bare = "".join(letter for letter in parts if not unicodedata.combining(letter))
        if bare != chr(point):
            letters.setdefault(point, bare.lower())
    return letters | dict.fromkeys(range(0x300, 0x370)) | {point: point for point in range(0x80)}


PLAIN = _plain_letters()


def without_turn(clause: str) -> str:
    """The clause without the word that turns it, as one would quote it."""
    turn = _TURNING.match(clause)
    return clause[turn.end() :] or clause if turn else clause


def shortened(quote: str) -> str:
    """At most 240 characters, cut at a space."""
    return quote if len(quote) <= _MOST_QUOTE else quote[:_MOST_QUOTE].rsplit(" ", 1)[0] + "…"


def folded(text: str) -> str:
    """Lower case and without accents, as people type in a hurry."""
    text = text.lower()
    if text.isascii() or (text := text.translate(PLAIN)).isascii():
        return text
    bare = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in bare if not unicodedata.combining(letter))


def bare(word: str, language: str) -> str:
    """A word without what is joined to it: "l'accueil" is "accueil", "it's" is "it", "don't" is "dont"."""
    if "'" not in word and "’" not in word:
        return word
    if language == "fr":
        return _ELIDED.sub("", word).rstrip("'’")
    first, _, rest = word.replace("’", "'").partition("'")
    return first + rest if rest == "t" else first


def plain(text: str) -> str:
    """Its words alone, folded, a space between them."""
    return " ".join(_LETTERS.findall(folded(text)))


def written(text: str) -> list[str]:
    """The words of `text` in lower case, each once."""
    return list(dict.fromkeys(_WORD.findall(unicodedata.normalize("NFC", text).lower())))


def forms(text: str, language: str) -> set[str]:
    """The forms of all words of `text`."""
    return set(chain.from_iterable(word_forms(word, language) for word in written(text)))


def word_forms(word: str, language: str) -> list[str]:
    """A word, or the parts of one joined by hyphens, as it stands, without its plural's letter, and as its lemma:
    folded."""
    parts = plain(word).split()
    return list(dict.fromkeys((*parts, *map(_singular, parts), lemma(word, language))))


def asked_forms(word: str) -> frozenset[str]:
    """The forms of which a text must hold one to hold this word, whatever the text's language."""
    word = _ELIDED.sub("", word.lower())
    bare = plain(word)
    return frozenset((bare, _singular(bare), lemma(word, "fr"), lemma(word, "en")))


def asked_words(text: str) -> list[str]:
    """The words that somebody asks for, folded; "l'accueil" asks for "accueil"."""
    return plain(_ELIDED.sub(" ", text.lower())).split()


def lemmas(text: str, language: str) -> list[str]:
    """The words of `text` as lemmas, folded, in order."""
    return [lemma(word, language) for word in _WORD.findall(_ELIDED.sub(" ", text.lower()))]


def _singular(word: str) -> str:
    """For words that the dictionary lacks, or that were typed without their accents."""
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word


def lemma(word: str, language: str) -> str:
    """One word's dictionary form, folded; an unknown word is itself."""
    return _lemma(word, language) if 0 < len(word) <= _LONGEST else folded(word)


@lru_cache(maxsize=30_000)
def _lemma(word: str, language: str) -> str:
    return folded(_LEMMATIZER.lemmatize(word, language))
