"""Which column of a table holds what: by what somebody said, by the usual headers, else by the words in a header."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from vigie.errors import InvalidInputError

# Usual headers, French and English, folded. An export of Booking has two texts.
FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("id", "identifiant", "review id", "id avis", "reference"),
    "date": (
        "date", "date de publication", "publie le", "date avis", "created at", "created", "published", "published at",
        "review date", "date de l avis", "jour",
    ),
    "rating": (
        "rating", "note", "stars", "etoiles", "score", "star rating", "note sur 5", "nb etoiles", "note globale",
        "note generale", "overall rating", "review score",
    ),
    "best": ("best", "rating max", "note max", "sur"),
    "author": (
        "author", "auteur", "nom", "name", "client", "reviewer", "pseudo", "reviewer name", "prenom", "guest name",
    ),
    "title": ("title", "titre", "review title", "objet", "sujet"),
    "text": (
        "text", "texte", "avis", "comment", "commentaire", "review", "review text", "content", "contenu", "message",
        "verbatim", "review content",
    ),
    "liked": ("positive review", "commentaire positif", "points positifs", "points forts", "liked", "pros"),
    "disliked": ("negative review", "commentaire negatif", "points negatifs", "points faibles", "disliked", "cons"),
    "url": ("url", "lien", "link", "adresse"),
    "reply": ("reply", "reponse", "owner reply", "response", "reponse du proprietaire", "property reply"),
    "language": ("language", "langue", "lang"),
    "experienced": (
        "date experience", "date de l experience", "date of experience", "date de visite", "date du sejour",
    ),
}  # fmt: skip
TEXTS = frozenset({"text", "rating", "liked", "disliked"})  # a table without any of these tells nothing
# For a header that is none of these: the words that tell a field, and those that say that it is another one.
_SAID = {
    "experienced": ("visite sejour experience visit stay", "note score rating avis"),
    "reply": ("reponse reply response", "date delai taux statut status"),
    "date": (
        "date publie published created cree horodatage timestamp",
        "reponse reply response update modification commande order livraison naissance",
    ),
    "title": ("titre title", "id"),
    "liked": ("positif positifs positive aime", "nombre taux"),
    "disliked": ("negatif negatifs negative", "nombre taux"),
    "rating": ("note rating score stars star etoile etoiles", "max interne nombre id url reponse"),
    "language": ("langue language", ""),
    "text": (
        "texte text avis commentaire comment review verbatim contenu content message temoignage",
        "id url lien link statut status nombre nb type source date reponse reply numero reference auteur author nom"
        " name pseudo note rating score titre title langue language utile votes",
    ),
    "author": (
        "auteur author client reviewer pseudo voyageur guest consumer nom name prenom username",
        "id numero email mail ville produit product etablissement societe entreprise magasin boutique hotel business"
        " company location commande type avis",
    ),
    "url": ("url lien link", "photo image logo"),
}
_MAX_NAME_CHARS, _MAX_CELLS = 500, 16_384  # a spreadsheet has no more columns
_OVERALL = frozenset("globale generale overall general total totale".split())
_SCALE = re.compile(r"(?:\bsur|/|\bout of|\bof|[1 ]\s?[-–à])\s?(5|10|20|100)\b", re.I)


class UnknownColumnsError(InvalidInputError):
    """No column says where the reviews are: whoever brought the table can, seeing its `header` and first `rows`."""

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[str]], columns: Mapping[str, str]) -> None:
        shown = ", ".join(name.strip()[:40] for name in header[:12])
        super().__init__(
            f"no column holds a text or a rating (columns: {shown}). Say which one does: --map text=COLUMN"
        )
        self.header = [name if len(name) <= _MAX_NAME_CHARS else "" for name in header[:_MAX_CELLS]]
        self.rows = [[cell[:_MAX_NAME_CHARS] for cell in row[:_MAX_CELLS]] for row in rows]
        self.columns = dict(columns)


def recognised(header: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int]:
    """Which column holds which field; raises `InvalidInputError` for a mapping that names none."""
    names = [folded(name) for name in header]
    columns: dict[str, int] = {}
    for field, column in mapping.items():
        if field not in FIELDS:
            raise InvalidInputError(f"unknown field {field!r}: one of {', '.join(FIELDS)}")
        if folded(column) not in names:
            raise InvalidInputError(f"the file has no column {column!r}")
        columns[field] = names.index(folded(column))
    for field, known in FIELDS.items():
        for name in known:
            if field not in columns and name in names and names.index(name) not in columns.values():
                columns[field] = names.index(name)
    for field in _SAID if sum(map(bool, names)) > 1 else ():
        if field not in columns and (at := _by_its_words(field, names, set(columns.values()))) is not None:
            columns[field] = at
    if {"text", "liked", "disliked"} <= columns.keys():  # "Commentaire positif" is half of the text
        del columns["text"]
    return columns


def scale_of(header: str) -> float | None:
    """The best rating as the header says it: "Note (sur 10)", "Score /20", "rating 1-5"."""
    match = _SCALE.search(" ".join(header[:500].split()))
    return float(match[1]) if match else None


def folded(name: str) -> str:
    """Lower case, without accents; anything but letters and digits is a space, also between "ReviewDate"'s words."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    bare = unicodedata.normalize("NFKD", apart.lower()).encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", bare).split())


def _by_its_words(field: str, names: Sequence[str], taken: set[int]) -> int | None:
    """The column whose header speaks of the field; of several ratings ("Note cuisine") only the overall one."""
    telling, others = (set(words.split()) for words in _SAID[field])
    worded = [(at, set(words.split())) for at, words in enumerate(names) if at not in taken]
    fitting = [at for at, words in worded if telling & words and not others & words]
    if field == "rating" and len(fitting) > 1:
        fitting = [at for at in fitting if _OVERALL & set(names[at].split())]
    return fitting[0] if fitting else None
