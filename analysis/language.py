"""French, English or other: by the small words that every sentence holds, or else by the dictionary."""

import re
from typing import Literal

import numpy as np
import simplemma

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
_ACCENTS = re.compile(r"[àâçéèêëîïôùûœ]", re.I)
_ELIDED = ("l'", "d'", "j'", "c'", "n'", "s'", "m'", "qu'")


class _Small:
    """What one word tells of the language."""

    dtype = np.dtype([("word", "?"), ("latin", "?"), ("fr", "?"), ("en", "?"), ("other", "?"), ("accents", "i2")])

    def of(self, word: str) -> tuple[bool, bool, bool, bool, bool, int]:
        word = word.replace("’", "'")
        if not word[:1].isalpha():
            return False, False, False, False, False, 0
        latin = word[0] < "\u0250" or "\u1e00" <= word[0] < "\u1f00"
        french = word in _FRENCH or word.startswith(_ELIDED)
        return True, latin, french, word in _ENGLISH, word in _OTHERS, len(_ACCENTS.findall(word))


_SMALL = _Small()


def detect(text: str, hint: str | None = None, default: Literal["fr", "en"] = "fr") -> Language:
    """The language of one text: `spoken` of it alone."""
    return spoken(cut([text]), [hint], [default])[0]


def spoken(tokens: Tokens, hints: list[str | None], defaults: list[Literal["fr", "en"]]) -> list[Language]:
    """The language of each text; a `hint` of the source settles what the words leave open."""
    known = tokens.known(_SMALL)
    of = tokens.clause_text[tokens.clause]
    names = ("word", "latin", "fr", "en", "other", "accents")
    counted = np.stack([np.bincount(of, weights=known[name], minlength=len(tokens.texts)) for name in names], axis=1)
    return [
        _decided([int(one) for one in row], hint, default, text)
        for row, hint, default, text in zip(counted.tolist(), hints, defaults, tokens.texts, strict=True)
    ]


def _decided(counts: list[int], hint: str | None, default: Literal["fr", "en"], text: str) -> Language:
    words, latin, french, english, others, accents = counts
    # Another alphabet, or more small words of others than of French or English.
    if latin * 2 < words or others >= max(2, max(french, english) + 1):
        return OTHER
    french += min(2, accents)
    if french != english and max(french, english) >= 2:
        return "fr" if french > english else "en"
    if hint in {"fr", "en"}:
        return hint  # type: ignore[return-value] # narrowed just above
    if french != english:
        return "fr" if french > english else "en"
    return _by_dictionary(re.findall(r"[^\W\d_]+", text.lower())[:30], default)


def _by_dictionary(words: list[str], default: Literal["fr", "en"]) -> Language:
    known = {language: sum(simplemma.is_known(word, lang=language) for word in words) for language in ("fr", "en")}
    if known["fr"] == known["en"]:
        return default
    return "fr" if known["fr"] > known["en"] else "en"
