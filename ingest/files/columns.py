"""Which column of a table holds what: by what somebody said, by the usual headers, else by the words in a header."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from ingest.files import values
from vigie.errors import InvalidInputError

# Usual headers, French and English, folded. An export of Booking has two texts.
# "review_rating" is before "rating", which may be the average of the place.
FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("id", "identifiant", "review id", "id avis", "reference", "id review", "avis id", "comment id"),
    "date": (
        "review datetime utc", "date", "date de publication", "publie le", "date avis", "created at", "created",
        "published", "published at", "review date", "date de l avis", "jour", "published at date", "feedback date",
        "review creation date", "comment date", "horodateur", "timestamp", "submitted at", "publish at",
        "review timestamp", "date created", "at",
    ),
    "rating": (
        "review rating", "rating", "note", "stars", "etoiles", "score", "star rating", "note sur 5", "nb etoiles",
        "note globale", "note generale", "overall rating", "review score", "service rating", "rate", "review stars",
        "rating value",
    ),
    "best": ("best", "rating max", "note max", "sur"),
    "author": (
        "author title", "author", "auteur", "reviewer name", "author name", "reviewer display name", "comment author",
        "nom", "name", "client", "reviewer", "pseudo", "prenom", "guest name", "firstname", "first name", "user name",
    ),
    "title": ("title", "titre", "review title", "objet", "sujet"),
    "text": (
        "text", "texte", "avis", "comment", "commentaire", "review", "review text", "content", "contenu", "message",
        "verbatim", "review content", "body", "review body", "service comment", "comment content", "comments",
        "commentaires", "feedback", "remarque", "remarques", "vos remarques", "description",
    ),
    "liked": ("positive review", "commentaire positif", "points positifs", "points forts", "liked", "pros"),
    "disliked": ("negative review", "commentaire negatif", "points negatifs", "points faibles", "disliked", "cons"),
    "url": ("review link", "review url", "url", "lien", "link", "adresse"),
    "reply": (
        "reply", "reponse", "owner reply", "response", "reponse du proprietaire", "property reply", "owner answer",
        "response from owner text", "reply text", "company reply text", "developer reply text", "comment content",
        "reply content",
    ),
    "language": ("language", "langue", "lang"),
    "experienced": (
        "date experience", "date de l experience", "date of experience", "date de visite", "date du sejour",
    ),
    "platform": ("platform", "plateforme", "review site", "site d avis"),
    "status": (
        "status", "statut", "state", "etat", "review status", "moderation", "moderation status", "comment approved",
        "approved", "approuve", "is approved", "is published", "published", "publie", "spam", "is spam",
        "statut de l avis", "review state",
    ),
}  # fmt: skip
TEXTS = frozenset({"text", "rating", "liked", "disliked"})  # a table without any of these tells nothing
# For a header that is none of these: the words that tell a field, and those that say that it is another one.
_SAID = {
    "experienced": ("visite sejour experience visit stay", "note score rating avis"),
    "reply": (
        "reponse reply response answer",
        "date delai taux statut status timestamp datetime ago id url at user name",
    ),
    "date": (
        "date publie published created cree horodatage horodateur timestamp datetime",
        "reponse reply response answer update modification commande order livraison naissance sale vente achat",
    ),
    "title": ("titre title", "id"),
    "liked": ("positif positifs positive aime", "nombre taux"),
    "disliked": ("negatif negatifs negative", "nombre taux"),
    "rating": (
        "note rating rate score stars star etoile etoiles satisfaction",
        "max response interne nombre id url reponse per average moyenne sentiment count reviews",
    ),
    "language": ("langue language", ""),
    "text": (
        "texte text avis commentaire commentaires comment comments review verbatim contenu content message temoignage"
        " remarque remarques feedback body",
        "id url lien link statut status nombre nb type source date reponse reply numero reference auteur author nom"
        " name pseudo note rating score titre title langue language utile votes img image likes link product produit"
        " creation details flag tags public timestamp datetime",
    ),
    "author": (
        "auteur author client reviewer pseudo voyageur guest consumer nom name prenom username",
        "id numero email mail ville produit product etablissement societe entreprise magasin boutique hotel business"
        " company location commande type avis app version package device file ip link url image order sku avatar"
        " place campaign site platform",
    ),
    "url": ("url lien link", "photo image logo video img picture avatar author reviewer auteur"),
}
_MAX_NAME_CHARS, _MAX_CELLS = 500, 16_384  # a spreadsheet has no more columns
_NUMBERED = re.compile(r" \d+$")
_FURTHER = frozenset("remarque remarques suggestion suggestions ameliorer amelioration ameliorations remarks".split())
# Words of headers whose cells are no review, however they read.
_NO_WORDS = frozenset(word for _, others in _SAID.values() for word in others.split()) - {"avis", "reply", "reponse"}
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


def recognised(
    header: Sequence[str], mapping: Mapping[str, str], sample: Sequence[Sequence[str]] = ()
) -> dict[str, int]:
    """Return the column of each field, by its header and by the cells of `sample`.

    A column whose cells are another thing is not taken, and one that is empty only where no other fits. Raises
    `InvalidInputError` for a mapping that names no field or column.
    """
    names = [folded(name) for name in header]
    columns = _mapped(names, mapping)
    table = _Sampled(names, sample)
    for is_last in (False, True):
        for field, known in FIELDS.items():
            fitting = sorted((rank, at) for rank, name in enumerate(known) for at in table.places.get(name, ()))
            table.choose(field, [at for _, at in fitting], columns, takes_empty=is_last)
        for field in _SAID if sum(map(bool, names)) > 1 else ():
            table.choose(field, _worded(field, names), columns, takes_empty=is_last)
    if {"text", "liked", "disliked"} <= columns.keys() and names[columns["text"]] not in FIELDS["text"]:
        del columns["text"]  # "Commentaire positif" is half of the text
    return columns


def _mapped(names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int]:
    columns = {}
    for field, column in mapping.items():
        if field not in FIELDS:
            raise InvalidInputError(f"unknown field {field!r}: one of {', '.join(FIELDS)}")
        if folded(column) not in names:
            raise InvalidInputError(f"the file has no column {column!r}")
        columns[field] = names.index(folded(column))
    return columns


class _Sampled:
    """A table's folded header with a sample of its rows."""

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.names, self.rows = names, rows
        self.places: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            self.places.setdefault(name, []).append(at)

    def choose(self, field: str, fitting: Sequence[int], columns: dict[str, int], *, takes_empty: bool) -> None:
        """Add the best of the columns that fit a field, the first among equals, unless the field has one."""
        free = [at for at in fitting if at not in columns.values()]
        if field in columns or not free:
            return
        worths = {at: self.worth(field, at) for at in free}
        best = max(free, key=lambda at: worths[at])
        if field == "rating" and len(free) > 1 and self.names[best] not in FIELDS["rating"]:
            overall = [at for at in free if _OVERALL & set(self.names[at].split())]
            if not overall:
                return
            best = overall[0]
        if worths[best] > values.EMPTY_WORTH or (takes_empty and worths[best] == values.EMPTY_WORTH):
            columns[field] = best

    def worth(self, field: str, at: int) -> float:
        """Return how well a column's cells fit; 1 where there are none to judge by."""
        return values.worth_of(field, values.cells_of(self.rows, at)) if self.rows else 1.0


def joined_texts(header: Sequence[str], columns: Mapping[str, int], sample: Sequence[Sequence[str]]) -> list[int]:
    """Return further columns of what the customer wrote: "Commentaire 2", "Vos suggestions"."""
    if "text" not in columns:
        return []
    stem = _NUMBERED.sub("", folded(header[columns["text"]]))
    joined = []
    for at, name in enumerate(map(folded, header)):
        is_same = _NUMBERED.sub("", name) == stem or bool(_FURTHER & set(name.split()))
        if is_same and at not in columns.values() and values.is_prose(values.cells_of(sample, at)):
            joined.append(at)
    return joined


def unread(header: Sequence[str], used: Collection[int], sample: Sequence[Sequence[str]]) -> list[int]:
    """Return the columns that hold something and are not read."""
    return [at for at in range(len(header)) if at not in used and values.cells_of(sample, at)]


def may_hold_words(header: Sequence[str], unread_columns: Collection[int], sample: Sequence[Sequence[str]]) -> bool:
    """Whether a column of an unknown name may hold what customers wrote, so that somebody must be asked."""
    for at in unread_columns:
        words = set(folded(header[at]).split())
        is_other = bool(words & _NO_WORDS)
        if not is_other and values.is_prose(values.cells_of(sample, at)):
            return True
    return False


def scale_of(header: str) -> float | None:
    """The best rating as the header says it: "Note (sur 10)", "Score /20", "rating 1-5"."""
    match = _SCALE.search(" ".join(header[:500].split()))
    return float(match[1]) if match else None


def folded(name: str) -> str:
    """Lower case, without accents; anything but letters and digits is a space, also between "ReviewDate"'s words."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    bare = unicodedata.normalize("NFKD", apart.lower()).encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", bare).split())


def _worded(field: str, names: Sequence[str]) -> list[int]:
    """Return the columns whose header speaks of the field."""
    telling, others = (set(words.split()) for words in _SAID[field])
    return [at for at, name in enumerate(names) if telling & set(name.split()) and not others & set(name.split())]
