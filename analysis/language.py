"""French, English or other: by the small words that every sentence holds, or else by the dictionary."""

import re
from typing import Literal

import simplemma

Language = Literal["fr", "en", "other"]
OTHER: Language = "other"

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
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


def detect(text: str, hint: str | None = None, default: Literal["fr", "en"] = "fr") -> Language:
    """The language of `text`; a `hint` of the source settles what the words leave open."""
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text[:600])]
    french = sum(word in _FRENCH or word[:2] in {"l'", "d'", "j'", "c'", "n'", "s'", "m'"} for word in words)
    english = sum(word in _ENGLISH for word in words)
    if _is_foreign(words, max(french, english)):
        return OTHER
    french += min(2, len(_ACCENTS.findall(text[:500])))
    if french != english and max(french, english) >= 2:
        return "fr" if french > english else "en"
    if hint in {"fr", "en"}:
        return hint  # type: ignore[return-value] # narrowed just above
    if french != english:
        return "fr" if french > english else "en"
    return _by_dictionary(words, default)


def _is_foreign(words: list[str], known: int) -> bool:
    """Another alphabet, or more small words of others than of French or English."""
    latin = sum(word[0] < "\u0250" or "\u1e00" <= word[0] < "\u1f00" for word in words)
    return latin * 2 < len(words) or sum(word in _OTHERS for word in words) >= max(2, known + 1)


def _by_dictionary(words: list[str], default: Literal["fr", "en"]) -> Language:
    known = {language: sum(simplemma.is_known(word, lang=language) for word in words[:30]) for language in ("fr", "en")}
    if known["fr"] == known["en"]:
        return default
    return "fr" if known["fr"] > known["en"] else "en"
