"""French, English or other: by what each word and its characters say of the language, and by the alphabet."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import numpy.typing as npt

from analysis.columns import Ints, Records, summed
from analysis.runs import runs
from analysis.tokens import Tokens, cut
from analysis.words import DRAWN_OUT

Language = Literal["fr", "en", "other"]
OTHER: Language = "other"

_FRENCH = frozenset(
    """
    le la les un une des du de et est était très pas plus pour dans sur avec que qui ce cette ces il elle ils
    elles on nous vous je tu mais ou où donc au aux ne se sa son ses leur leurs notre votre mon ma mes par bien
    bon bonne tout tous toute toutes rien jamais toujours trop peu sans même être avoir été fait ai ont sont
    avons j'ai c'est n'est qu'il d'un d'une accueil merci aussi comme si encore chez vraiment beaucoup déjà
    après avant quand à ça cela y en lui moi suis avis dommage hélas bref entre deux
    """.split()
)
_ENGLISH = frozenset(
    """
    the a an of and is was were very not more for in on with that which who this these those he she they we you
    i but or so at to do does did don't didn't isn't wasn't it it's its his her their our your my by well good
    great all nothing never always too little without same be been have has had are am would could should will
    just from as if again really much after before when there here what how staff food place service i've i'm
    can't only also than then them us me out up about get got
    """.split()
)
SMALL_WORDS = {"fr": _FRENCH, "en": _ENGLISH}
_ELIDED = ("l'", "d'", "j'", "c'", "n'", "s'", "m'", "qu'")
BITS = 18
MODEL = Path(str(files("analysis").joinpath("models", "language.npz")))
_RUNS = (1, 2, 3, 4)  # characters
_LONGEST = 30  # letters of one word
_CLEAR = 1.5  # log-odds between French and English from which the firm's own language is not asked
_VERY_CLEAR = 4.0  # from which the source's word on it is not
_FOREIGN = 2.0  # log-odds of another language against both from which a text is left unread
_EACH, _FEW = 0.6, 3  # and so much more for each word beyond the third
_MOST = 4.0  # that one word says of this: a name, or a dish, is no language


class _Small:
    """What one word tells of the language: the log-odds of French against English, and of others against both."""

    dtype = np.dtype([("word", "?"), ("french", "f4"), ("foreign", "f4")])

    def of(self, words: Sequence[str]) -> Records:
        words = [DRAWN_OUT.sub(r"\1", word.replace("’", "'")) for word in words]
        weights, scales, bias = _weights()
        owners, found = buckets(words)
        french, foreign = (np.bincount(owners, weights=row.take(found), minlength=len(words)) for row in weights)
        foreign = np.clip(foreign * scales[1] + bias, -_MOST, _MOST)
        told = zip(words, (french * scales[0]).tolist(), foreign.tolist(), strict=True)
        return np.array([self._of(*one) for one in told], self.dtype)

    def _of(self, word: str, french: float, foreign: float) -> tuple[bool, float, float]:
        if not word[:1].isalpha():
            return False, 0.0, 0.0
        is_latin = word[0] < "\u0250" or "\u1e00" <= word[0] < "\u1f00"
        # Titles and names of the other language stand in any text, its small words do not.
        is_small = word in _FRENCH or word in _ENGLISH or word.startswith(_ELIDED)
        return True, 2 * french if is_small else french, foreign if is_latin else _MOST


_SMALL = _Small()


def buckets(words: Sequence[str]) -> tuple[Ints, Ints]:
    """Where the weights of words and of their runs of characters are kept: of each, the word it is of and its bucket.
    A run that a word holds twice counts once."""
    owners, sums = runs([f"^{word[:_LONGEST]}$" for word in words], _RUNS)
    whole = np.array([crc32(f"={word}".encode("utf-8", "surrogatepass")) for word in words], np.uint32)
    owners, sums = np.append(owners, np.arange(len(words))), np.append(sums, whole)
    every = np.sort(owners << 32 | sums)  # a third of what np.unique takes
    once = every[np.append(True, every[1:] != every[:-1])[: len(every)]]
    return once >> 32, (once & 0xFFFFFFFF) >> (32 - BITS)


@lru_cache(maxsize=1)
def _weights() -> tuple[npt.NDArray[Any], npt.NDArray[Any], float]:
    with np.load(MODEL) as model:
        return model["weights"], model["scales"], float(model["bias"])


def detect(text: str, hint: str | None = None, default: Literal["fr", "en"] = "fr") -> Language:
    """The language of one text: `spoken` of it alone."""
    return spoken(cut([text]), [hint], [default])[0]


def spoken(tokens: Tokens, hints: list[str | None], defaults: list[Literal["fr", "en"]]) -> list[Language]:
    """The language of each text; a `hint` of the source settles what the words leave open."""
    known = tokens.known(_SMALL)
    sums = [known[name] for name in ("french", "foreign", "word")]
    french, foreign, words = summed(sums, tokens.text, len(tokens.texts), tokens.first_of_text)
    foreign -= _EACH * np.maximum(0, words - _FEW)
    told = zip(french.tolist(), foreign.tolist(), hints, defaults, strict=True)
    return [_decided(ours, others, (hint or "")[:2].lower(), default) for ours, others, hint, default in told]


def _decided(french: float, foreign: float, hint: str, default: Literal["fr", "en"]) -> Language:
    least = _FOREIGN if not hint else _VERY_CLEAR if hint in SMALL_WORDS else -_FOREIGN
    if foreign > least:
        return OTHER
    told: Literal["fr", "en"] = "fr" if hint == "fr" else "en" if hint == "en" else default
    if abs(french) >= (_VERY_CLEAR if told == hint else _CLEAR):
        return "fr" if french > 0 else "en"
    return told
