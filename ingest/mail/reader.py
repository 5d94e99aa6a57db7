"""A review out of a platform's mail: by its layout, a small declarative file, else by general rules.

Nothing is guessed: a rating counts only if the mail names exactly one; a layout that is met only in part gives a
review that waits for its owner's word ("Est-ce bien 2 étoiles, de Sandrine ?").
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from itertools import islice

from ingest.clean import plain
from ingest.found import Found
from ingest.mail.letter import Letter
from ingest.mail.proof import is_of
from ingest.rating import on_five
from vigie import ids

_STARS = re.compile(r"(?<![★⭐🌟])([★⭐🌟]\ufe0f?(?:\s?[★⭐🌟]\ufe0f?){0,4})(?:\s?[☆✩](?:\s?[☆✩])*)?(?![★⭐🌟])")
_OF = re.compile(r"(?<![\d.,/])(\d{1,2}(?:[.,]\d{1,2})?)\s*(?:/|sur|out of|von)\s*(5|10)(?![\d.,]\d|\d|/)", re.I)
_COUNTED = re.compile(r"(?<![\d.,/])([1-5](?:[.,][05])?)\s*-?\s*(?:étoiles?|etoiles?|stars?|bulles?|bubbles?)\b", re.I)
_NOT_THIS_ONE = re.compile(
    r"moyenne|average|globale?\b|overall|total|votre note est|your rating is|classement|ranking|jusqu|précédent"
    r"|previous|conseil|astuce|\btips?\b|objectif|au moins|at least|minimum|plus de \d|more than",
    re.I,
)
_MARK = re.compile('[«“"]')
_MOST_MARKS = 200
_QUOTE = re.compile(r"[«“\"]\s*(.{3,4000}?)\s*[»”\"](?=\s*$|\s*[.–—-])", re.S | re.M)
_LABEL = re.compile(r"^(?:commentaire|(?:son |votre )?avis|message|review|comment|feedback|texte?)\s*:\s*(.*)$", re.I)
_END = re.compile(
    r"^(?:répond|repond|reply|respond|voir |read |lire |see |view |gérer|manage|consulte|cordialement|l'équipe"
    r"|the .{2,30} team|à bientôt|merci de |thank|vous recevez|you (?:are )?receiv|se désabonner|désabonne|unsubscribe|©|https?://|signaler"
    r"|report |cet e-?mail|this e-?mail|publier|partager|share|accéder|connecte|log ?in|--|besoin d.aide|need help)",
    re.I,
)
_SOMEBODY = re.compile(
    r"(?P<author>[^\W\d_a-zà-ÿ][\w.'’-]*(?:\s[^\W\d_a-zà-ÿ][\w.'’-]*){0,3})\s+"
    r"(?:vient|a|vous|has|have|just|left|gave|wrote|rated|reviewed|posted)\b"
)
_NAME = re.compile(r"(?<=\s)[^\W\d_a-zà-ÿ][\w.'’-]*(?:\s+(?:d[eu]s?|la|le|l'|&)?\s*[^\W\d_a-zà-ÿ][\w.'’-]*)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?|[★☆⭐]+")
_REVIEW_LINK = re.compile(r"avis|review|reply|comment", re.I)
_NO_TEXT = re.compile(r"sans commentaire|n'a pas laissé de commentaire|without a comment|no comment|rating only", re.I)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one platform writes: from which addresses, on which scale, and by which words it announces a review.

    `senders` matters where a domain also writes what strangers dictate (a shared document's title, say).
    """

    platform: str
    domains: tuple[str, ...]
    scale: int
    announces: tuple[re.Pattern[str], ...]
    senders: re.Pattern[str]


@lru_cache(maxsize=1)
def layouts() -> tuple[Layout, ...]:
    """The layouts that come with Vigie, one file a platform."""
    folder = files("ingest").joinpath("mail", "layouts")
    return tuple(_layout(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir(), key=lambda p: p.name))


def layout_of(mailbox: str, domain: str) -> Layout | None:
    """The layout of the platform that writes from `mailbox` at `domain`."""
    return next((one for one in layouts() if is_of(domain, one.domains) and one.senders.search(mailbox)), None)


def read(letter: Letter, layout: Layout) -> Found | None:
    """The review that the mail tells of; None when it tells of none. Waits apart unless the layout is met whole."""
    announced = _announced(letter, layout)
    ratings = set(_ratings(letter, layout.scale))
    text = _text(letter)
    author = plain(announced["author"], most=500) if announced and "author" in announced.re.groupindex else ""
    if len(ratings) != 1 or (announced is None and not text):
        return None
    (given,) = ratings
    is_whole = announced is not None and bool(text or _is_wordless(letter))
    if announced is None:
        author = _guessed_author(letter.subject)
    found = Found(
        # By what is signed: a Message-ID seldom is, and the same mail under another one must stay the same review.
        external_id=ids.derived("mail", letter.subject, letter.sent_at, author, given, text),
        text=text,
        author=author or None,
        rating=on_five(given, best=float(layout.scale)),
        rating_given=f"{given}/{layout.scale}",
        published_at=letter.sent_at,
        url=next((one for one in letter.links if is_of(_host(one), layout.domains) and _REVIEW_LINK.search(one)), None),
        platform=layout.platform,
    )
    return found if is_whole else replace(found, apart="unconfirmed", layout=_mark(letter, layout, author, text))


def _layout(text: str) -> Layout:
    data = tomllib.loads(text)
    announces = tuple(re.compile(one, re.I) for one in data["announces"])
    senders = re.compile(data.get("senders", ""), re.I)
    return Layout(data["platform"], tuple(data["domains"]), data.get("scale", 5), announces, senders)


def _announced(letter: Letter, layout: Layout) -> re.Match[str] | None:
    for line in (letter.subject, *letter.lines[:30]):
        for pattern in layout.announces:
            if match := pattern.search(line):
                return match
    return None


def _guessed_author(subject: str) -> str:
    """Who seems to have written, in a layout that was never met: a name, and then a verb."""
    match = _SOMEBODY.match(subject)
    return plain(match["author"], most=500) if match else ""


def _mark(letter: Letter, layout: Layout, author: str, text: str) -> str:
    """By what a mail written in the same way is known again: a hash of its subject without names and numbers."""
    words = letter.subject.replace(author, "@") if author else letter.subject
    unnamed = _NAME.sub("@", words[:1].lower() + words[1:])
    return ids.derived("layout", layout.platform, _NUMBER.sub("#", unnamed).lower(), bool(text))


def _ratings(letter: Letter, scale: int) -> Iterator[str]:
    """Each rating that the mail names, on the platform's scale; averages and advice are not this review's."""
    for line in (letter.subject, *letter.lines):
        if _NOT_THIS_ONE.search(line):
            continue
        if scale == 5:
            for match in _STARS.finditer(line):
                yield str(sum(letter in "★⭐🌟" for letter in match[1]))
            for match in _COUNTED.finditer(line):
                yield _number(match[1])
        for match in _OF.finditer(line):
            yield _number(match[1]) if int(match[2]) == scale else f"{match[1]} of {match[2]}"


def _number(given: str) -> str:
    return f"{float(given.replace(',', '.')):g}"


def _text(letter: Letter) -> str:
    """The customer's words: what stands in quotation marks, else after a label, else after the rating."""
    body = "\n".join(letter.lines)
    if quoted := list(_quoted(body)):
        return plain(max(quoted, key=len))
    for at, line in enumerate(letter.lines):
        if label := _LABEL.match(line):
            return plain("\n".join(_until_end([label[1], *letter.lines[at + 1 :]])))
    for at, line in enumerate(letter.lines):
        if _STARS.search(line) or _OF.search(line) or _COUNTED.search(line):
            return plain("\n".join(_until_end(letter.lines[at + 1 :])))
    return ""


def _quoted(body: str) -> Iterator[str]:
    """What stands in quotation marks; a mail full of marks that never close is not searched for ever."""
    end = 0
    for mark in islice(_MARK.finditer(body), _MOST_MARKS):
        if mark.start() >= end and (match := _QUOTE.match(body, mark.start())):
            end = match.end()
            yield match[1]


def _until_end(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if _END.match(line) or _NO_TEXT.search(line):
            return
        if line:
            yield line


def _is_wordless(letter: Letter) -> bool:
    return any(_NO_TEXT.search(line) for line in letter.lines)


def _host(address: str) -> str:
    return address.split("/")[2].rpartition("@")[2].partition(":")[0].lower()
