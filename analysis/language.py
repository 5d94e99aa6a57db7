"""French, English or other: by what each word and its characters say, and by the small words of other languages."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import numpy.typing as npt

from analysis.columns import Bools, Ints, Records, Rows, summed
from analysis.runs import runs
from analysis.tokens import Tokens, cut

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
# The small words of the neighbours that are neither French nor English ones.
_OTHERS = frozenset(
    """
    der das und ist nicht ein eine mit auf für sehr war wir auch aber dem den sich von zum zur gut alles immer wieder
    el los las muy que y con para pero es una todo fue por más como está del al lo bien buena mejor
    il gli della di è molto con non per una sono che ottimo tutto anche ma buono più bella questo
    het een niet met voor maar zeer ook was zijn wij goed lekker heel van
    o os uma muito não com mas foi bom bem tudo para são
    """.split()
) - _FRENCH - _ENGLISH  # fmt: skip
SMALL_WORDS = {"fr": _FRENCH, "en": _ENGLISH}
_ELIDED = ("l'", "d'", "j'", "c'", "n'", "s'", "m'", "qu'")
BITS = 16
MODEL = Path(str(files("analysis").joinpath("models", "language.npz")))
_RUNS = (1, 2, 3, 4)  # characters
_LONGEST = 30  # letters of one word
_CLEAR = 1.5  # log-odds between French and English from which the firm's own language is not asked
_VERY_CLEAR = 4.0  # from which the source's word on it is not


class _Small:
    """What one word tells of the language; `french` is the log-odds of French against English."""

    dtype = np.dtype([("word", "?"), ("alien", "?"), ("fr", "?"), ("en", "?"), ("other", "?"), ("french", "f4")])

    def of(self, words: Sequence[str]) -> Records:
        words = [word.replace("’", "'") for word in words]
        weights, scale = _weights()
        owners, found = buckets(words)
        odds = np.bincount(owners, weights=weights.take(found), minlength=len(words)) * scale
        return np.array([self._of(*pair) for pair in zip(words, odds.tolist(), strict=True)], self.dtype)

    def _of(self, word: str, odds: float) -> tuple[bool, bool, bool, bool, bool, float]:
        if not word[:1].isalpha():
            return False, False, False, False, False, 0.0
        latin = word[0] < "\u0250" or "\u1e00" <= word[0] < "\u1f00"
        french = word in _FRENCH or word.startswith(_ELIDED)
        english = word in _ENGLISH
        # Titles and names of the other language stand in any text, its small words do not.
        return True, not latin, french, english, word in _OTHERS, 2 * odds if french or english else odds


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
def _weights() -> tuple[npt.NDArray[Any], float]:
    with np.load(MODEL) as model:
        return model["weights"], float(model["scale"])


def detect(text: str, hint: str | None = None, default: Literal["fr", "en"] = "fr") -> Language:
    """The language of one text: `spoken` of it alone."""
    return spoken(cut([text]), [hint], [default])[0]


def spoken(tokens: Tokens, hints: list[str | None], defaults: list[Literal["fr", "en"]]) -> list[Language]:
    """The language of each text; a `hint` of the source settles what the words leave open."""
    known = tokens.known(_SMALL)
    odds = summed([known["french"]], tokens.text, len(tokens.texts), tokens.first_of_text)[0].tolist()
    foreign = _foreign(known, tokens.text, len(tokens.texts))
    return [
        OTHER if at in foreign else _decided(french, hint, default)
        for at, (french, hint, default) in enumerate(zip(odds, hints, defaults, strict=True))
    ]


def _foreign(known: Rows, of: Ints, count: int) -> set[int]:
    """The texts in another alphabet, or with more small words of others than of French or English."""
    alien, others = _counted(known["alien"], of, count), _counted(known["other"], of, count)
    doubtful = (alien > 0) | (others > 1)
    ours = np.flatnonzero(doubtful.take(of))  # few: the rest is counted for them alone
    known, of = known.take(ours), of.take(ours)
    words, french, english = (_counted(known[name], of, count) for name in ("word", "fr", "en"))
    others_say = others >= np.maximum(2, np.maximum(french, english) + 1)
    return set(np.flatnonzero(doubtful & ((2 * alien > words) | others_say)).tolist())


def _counted(flags: Bools, of: Ints, count: int) -> Ints:
    return np.bincount(of[flags], minlength=count)


def _decided(odds: float, hint: str | None, default: Literal["fr", "en"]) -> Language:
    told: Literal["fr", "en"] = "fr" if hint == "fr" else "en" if hint == "en" else default
    if abs(odds) >= (_VERY_CLEAR if told == hint else _CLEAR):
        return "fr" if odds > 0 else "en"
    return told
