"""French or English: by the small words that every sentence holds, and by the dictionary where there are none."""

import re
from typing import Literal

import simplemma

Language = Literal["fr", "en"]

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
_ACCENTS = re.compile(r"[àâçéèêëîïôùûœ]", re.I)


def detect(text: str, hint: str | None = None, default: Language = "fr") -> Language:
    """The language of `text`; a `hint` of the source settles what the words leave open."""
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text[:2_000])]
    french = sum(word in _FRENCH or word[:2] in {"l'", "d'", "j'", "c'", "n'", "s'", "m'"} for word in words)
    english = sum(word in _ENGLISH for word in words)
    french += min(2, len(_ACCENTS.findall(text[:500])))
    if french != english and max(french, english) >= 2:
        return "fr" if french > english else "en"
    if hint in {"fr", "en"}:
        return hint  # type: ignore[return-value] # narrowed just above
    if french != english:
        return "fr" if french > english else "en"
    return _by_dictionary(words, default)


def _by_dictionary(words: list[str], default: Language) -> Language:
    known = {language: sum(simplemma.is_known(word, lang=language) for word in words[:30]) for language in ("fr", "en")}
    if known["fr"] == known["en"]:
        return default
    return "fr" if known["fr"] > known["en"] else "en"
