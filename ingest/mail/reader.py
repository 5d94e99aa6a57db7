"""A review out of a platform's mail: by its layout, a small declarative file, else by general rules.

Nothing is guessed. That a mail tells of a review is said in its subject alone, since the words of strangers stand in
the body. A rating counts only if the mail names exactly one outside the customer's words. A layout that is met only in
part gives a review that waits for its owner's word ("Est-ce bien 2 étoiles, de Sandrine ?").
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from ingest.clean import plain
from ingest.found import Found
from ingest.mail.frame import Frame, Framed, count_of, has_heading, parse_frame, read_framed
from ingest.mail.letter import Letter
from ingest.mail.proof import is_of
from ingest.rating import on_five
from vigie import ids

# Each expression reads one line, at most 1,000 characters long, in which white space is one space.
_STARS = re.compile(r"(?<![★⭐🌟])([★⭐🌟]\ufe0f?(?:\s?[★⭐🌟]\ufe0f?){0,4})(?:\s?[☆✩](?:\s?[☆✩]){0,4})?(?![★⭐🌟])")
_OF = re.compile(r"(?<![\d.,/])(\d{1,2}(?:[.,]\d{1,2})?)\s?(?:/|sur|out of|von)\s?(5|10)(?![\d.,]\d|\d|/)", re.I)
_COUNTED = re.compile(r"(?<![\d.,/])([1-5](?:[.,][05])?)\s?-?\s?(?:étoiles?|etoiles?|stars?|bulles?|bubbles?)\b", re.I)
_NOT_THIS_ONE = re.compile(
    r"moyenne|average|globale?\b|overall|total|votre note est|your rating is|classement|ranking|jusqu|précédent"
    r"|previous|conseil|astuce|\btips?\b|objectif|au moins|at least|minimum|plus de \d|more than",
    re.I,
)
_LABEL = re.compile(r"^(?:commentaire|(?:son |votre )?avis|message|review|comment|feedback|texte?)\s?:\s?(.*)$", re.I)
_END = re.compile(
    r"^(?:répond|repond|reply|respond|voir |read |lire |see |view |gérer|manage|consulte|cordialement|l'équipe"
    r"|the .{2,30} team|à bientôt|merci de |thank|vous recevez|you (?:are )?receiv|se désabonner|désabonne|unsubscribe|©|https?://|signaler"
    r"|report |cet e-?mail|this e-?mail|publier|partager|share|accéder|connecte|log ?in|--|besoin d.aide|need help)",
    re.I,
)
_SOMEBODY = re.compile(
    r"(?P<author>[^\W\d_a-zà-ÿ][\w.'’-]*(?:\s[^\W\d_a-zà-ÿ][\w.'’-]*){0,3})\s"
    r"(?:vient|a|vous|has|have|just|left|gave|wrote|rated|reviewed|posted)\b"
)
_NAME = re.compile(r"(?<=\s)[^\W\d_a-zà-ÿ][\w.'’-]*(?:\s(?:d[eu]s?|la|le|l'|&)?\s?[^\W\d_a-zà-ÿ][\w.'’-]*)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?|[★☆⭐]+")
_REVIEW_LINK = re.compile(r"avis|review|reply|comment", re.I)
_NO_TEXT = re.compile(
    r"sans commentaire|n'a pas laissé de commentaire|without a comment|no comment|rating only|only left a rating", re.I
)
# What stands before quotation marks that hold a whole text, not some words inside one.
_INTRODUCTION = re.compile(
    r"(?:[:>\d★☆⭐]|\b(?:écrit|dit|déclare|wrote|says|said|avis|commentaire|review|message|comment))$", re.I
)
_ABOUT = re.compile(r"\bavis\b|reviews?\b|commentaire|\bcomment\b|évalu|étoile|\bstars?\b|rating|\bnoté", re.I)
_REMOVED = re.compile(r"has been removed|was removed|a été (?:supprimé|retiré)", re.I)
_OPENING_MARKS, _CLOSING_MARKS = '«“"', '»”"'
_AFTER_QUOTE = ".–—-"
_MIN_QUOTE_CHARS, _MAX_QUOTE_CHARS = 3, 4_000
_MAX_MARKS = 200
_MAX_LEADING_LINKS = 3  # lines such as "Read review" that may stand between the rating and the text


@dataclass(frozen=True, slots=True)
class Layout:
    """One platform's mails: who sends them, on which scale they rate, how their subject announces a review.

    `senders` are exact addresses, or "@domain" for any of exactly that domain. Where `only_senders`, other mails of the
    platform's domains are no reviews: strangers choose their subject. `relays` are domains that pass on what strangers
    write. `author_lines` are lines that name the author where the subject does not. `frame` is what stands around its
    reviews, where that is known.
    """

    platform: str
    domains: tuple[str, ...]
    scale: int
    announces: tuple[re.Pattern[str], ...]
    author_lines: tuple[re.Pattern[str], ...]
    senders: frozenset[str]
    relays: tuple[str, ...]
    only_senders: bool
    frame: Frame | None = None

    def is_sender(self, mailbox: str, domain: str) -> bool:
        """Whether the platform sends its reviews from that address."""
        return f"{mailbox}@{domain}" in self.senders or f"@{domain}" in self.senders

    def has_domain(self, domain: str) -> bool:
        """Whether mails of `domain` are the platform's own."""
        return is_of(domain, self.domains) and not is_of(domain, self.relays)


@lru_cache(maxsize=1)
def layouts() -> tuple[Layout, ...]:
    """Return the layouts that come with Vigie, one file a platform."""
    folder = files("ingest").joinpath("mail", "layouts")
    paths = sorted(folder.iterdir(), key=lambda path: path.name)
    return tuple(_parse_layout(path.read_text(encoding="utf-8")) for path in paths)


def layout_of(mailbox: str, domain: str) -> Layout | None:
    """Return the layout of the platform that writes from `mailbox` at `domain`."""
    for layout in layouts():
        is_possible = layout.is_sender(mailbox, domain) or not layout.only_senders
        if layout.has_domain(domain) and is_possible:
            return layout
    return None


def read_reviews(letter: Letter, layout: Layout) -> list[Found]:
    """Return the reviews that the mail tells of, none when it tells of none or is not understood.

    Those that are not met whole in a known layout are excluded as unconfirmed.
    """
    if layout.frame and (framed := _read_in_frame(letter, layout, layout.frame)):
        return framed
    review = read(letter, layout)
    if review is None:
        return []
    if review.apart is None and layout.frame and has_heading(letter, layout.frame):
        # The platform's own heading where it does not stand: a customer may have written it.
        return [_ask_about(review, letter, layout, review.author or "", review.text)]
    return [review]


def is_about_reviews(letter: Letter) -> bool:
    """Whether a mail seems to speak of a review: its subject says so, or a link leads to one."""
    return bool(_ABOUT.search(letter.subject)) or any("/reviews/" in address for address in letter.links)


def is_removal(letter: Letter) -> bool:
    """Whether a mail says that a review has been removed."""
    return bool(_REMOVED.search(letter.subject))


def read(letter: Letter, layout: Layout) -> Found | None:
    """Return the review that the mail tells of by general rules; None when it tells of none.

    It is excluded as unconfirmed unless the layout is met whole. Of several ratings the first is asked about, if it
    stands above the text.
    """
    announcement = _find_announcement(letter, layout)
    first_line, text = _locate_text(letter)
    author = _read_author(letter, layout, announcement)
    ratings = _read_ratings(letter, layout.scale, text, author)
    rating = min(ratings, key=lambda value: ratings[value], default="")
    is_clear = len(ratings) == 1
    is_first_above_text = announcement is not None and bool(text) and bool(ratings) and ratings[rating] < first_line
    is_on_scale = " of " not in rating
    if not is_on_scale or not (is_clear or is_first_above_text) or (announcement is None and not text):
        return None
    is_whole = is_clear and announcement is not None and bool(text or _is_wordless(letter))
    review = Found(
        # By what is signed: a Message-ID seldom is, and the same mail under another one must stay the same review.
        external_id=ids.derived("mail", letter.subject, letter.sent_at, author, rating, text),
        text=text,
        author=author or None,
        rating=on_five(rating, best=float(layout.scale)),
        rating_given=f"{rating}/{layout.scale}",
        published_at=letter.sent_at,
        url=_find_link(letter, layout),
        platform=layout.platform,
    )
    return review if is_whole else _ask_about(review, letter, layout, author, text)


def _ask_about(review: Found, letter: Letter, layout: Layout, author: str, text: str) -> Found:
    return replace(review, apart="unconfirmed", layout=_shape(letter, layout, author, text))


def _parse_layout(text: str) -> Layout:
    data = tomllib.loads(text)
    return Layout(
        platform=data["platform"],
        domains=tuple(data["domains"]),
        scale=data.get("scale", 5),
        announces=tuple(re.compile(pattern, re.I) for pattern in data["announces"]),
        author_lines=tuple(re.compile(pattern, re.I) for pattern in data.get("author_lines", ())),
        senders=frozenset(data["senders"]),
        relays=tuple(data.get("relays", ())),
        only_senders=data.get("only_senders", False),
        frame=parse_frame(data["frame"]) if "frame" in data else None,
    )


def _read_in_frame(letter: Letter, layout: Layout, frame: Frame) -> list[Found]:
    announcement = _find_announcement(letter, layout)
    named = announcement is not None and "author" in announcement.re.groupindex
    author = _read_author(letter, layout, announcement) if named else ""
    framed = read_framed(letter, frame, author)
    is_announced = announcement is not None or count_of(letter, frame) == len(framed)
    in_subject = set(_ratings_of_line(_without_name(letter.subject, author), layout.scale))
    if any(in_subject - {str(review.rating)} for review in framed):
        return []  # the subject is the platform's own
    return [_found_of(review, letter, layout, is_announced=is_announced) for review in framed]


def _found_of(framed: Framed, letter: Letter, layout: Layout, *, is_announced: bool) -> Found:
    text, rating = plain(framed.text), str(framed.rating)
    identity: tuple[object, ...] = (letter.subject, letter.sent_at, framed.author, rating, text)
    if framed.review_id:  # stays the same where the mail is passed on
        identity = (layout.platform, "review", framed.review_id, framed.author)
    review = Found(
        external_id=ids.derived("mail", *identity),
        text=text,
        author=plain(framed.author, most=500) or None,
        rating=on_five(rating, best=float(layout.scale)),
        rating_given=f"{rating}/{layout.scale}",
        published_at=letter.sent_at,
        url=_find_link(letter, layout),
        platform=layout.platform,
    )
    if framed.is_known and is_announced and (text or framed.is_wordless):
        return review
    return _ask_about(review, letter, layout, framed.author, text)


def _find_announcement(letter: Letter, layout: Layout) -> re.Match[str] | None:
    matches = (pattern.search(letter.subject) for pattern in layout.announces)
    return next((match for match in matches if match), None)


def _read_author(letter: Letter, layout: Layout, announcement: re.Match[str] | None) -> str:
    """Return the author's name; empty where the mail does not say it."""
    if announcement is None:
        match = _SOMEBODY.match(letter.subject)  # a layout that was never met: a name, and then a verb
    elif "author" in announcement.re.groupindex:
        match = announcement
    else:
        matches = (pattern.fullmatch(line) for line in letter.lines for pattern in layout.author_lines)
        match = next((found for found in matches if found), None)
    return plain(match["author"], most=500) if match else ""


def _shape(letter: Letter, layout: Layout, author: str, text: str) -> str:
    """Return a hash by which a mail written in the same way is known again: its subject without names and numbers."""
    words = letter.subject.replace(author, "@") if author else letter.subject
    unnamed = _NAME.sub("@", words[:1].lower() + words[1:])
    return ids.derived("layout", layout.platform, _NUMBER.sub("#", unnamed).lower(), bool(text))


def _read_ratings(letter: Letter, scale: int, text: str, author: str) -> dict[str, int]:
    """Return the ratings that the mail names, each with the line where it stands first (-1: in the subject).

    Those of the subject alone count if there are any. Averages and advice are not this review's, and neither the
    customer's words nor name is a rating.
    """
    in_subject = set(_ratings_of_line(_without_name(letter.subject, author), scale))
    if in_subject:
        return dict.fromkeys(in_subject, -1) if len(in_subject) == 1 else {}
    customer_lines = set(text.split("\n"))
    marks = _OPENING_MARKS + _CLOSING_MARKS + " "
    ratings: dict[str, int] = {}
    for index, line in enumerate(letter.lines):
        if line.strip(marks) not in customer_lines:
            for rating in _ratings_of_line(_without_name(line, author), scale):
                ratings.setdefault(rating, index)
    return ratings


def _without_name(line: str, author: str) -> str:
    return line.replace(author, "") if author else line


def _ratings_of_line(line: str, scale: int) -> Iterator[str]:
    if _NOT_THIS_ONE.search(line):
        return
    if scale == 5:
        for match in _STARS.finditer(line):
            yield str(sum(letter in "★⭐🌟" for letter in match[1]))
        for match in _COUNTED.finditer(line):
            yield _normalise(match[1])
    for match in _OF.finditer(line):
        yield _normalise(match[1]) if int(match[2]) == scale else f"{match[1]} of {match[2]}"


def _normalise(number: str) -> str:
    return f"{float(number.replace(',', '.')):g}"


def _locate_text(letter: Letter) -> tuple[int, str]:
    """Return the customer's words, and the line where they begin.

    They stand in quotation marks, else after a label, else after the rating.
    """
    quotes = [quote for quote in _find_quotes(letter.lines) if quote.text]
    introduced = [quote for quote in quotes if quote.is_introduced]
    if introduced:
        return _longest(introduced)
    for index, line in enumerate(letter.lines):
        if label := _LABEL.match(line):
            return index, plain("\n".join(_until_end([label[1], *letter.lines[index + 1 :]])))
    for index, line in enumerate(letter.lines):
        if _STARS.search(line) or _OF.search(line) or _COUNTED.search(line):
            return index + 1, plain("\n".join(_until_end(_after_links(letter.lines[index + 1 :]))))
    return _longest(quotes) if quotes else (0, "")


@dataclass(frozen=True, slots=True)
class _Quote:
    """What stands in quotation marks; `is_introduced` where they are not in the middle of a sentence."""

    line: int
    text: str
    is_introduced: bool


def _longest(quotes: Sequence[_Quote]) -> tuple[int, str]:
    quote = max(quotes, key=lambda quote: len(quote.text))
    return quote.line, plain(quote.text)


def _find_quotes(lines: Sequence[str]) -> Iterator[_Quote]:
    """Return what stands in quotation marks that close before a full stop, a dash or the end of a line."""
    body = "\n".join(lines)
    openings = [index for index, char in enumerate(body) if char in _OPENING_MARKS]
    end = 0
    for start in openings[:_MAX_MARKS]:
        closing = _find_closing(body, start + 1) if start >= end else None
        if closing is not None:
            end = closing + 1
            before = body[body.rfind("\n", 0, start) + 1 : start].rstrip()
            is_introduced = not before or bool(_INTRODUCTION.search(before))
            yield _Quote(body.count("\n", 0, start), body[start + 1 : closing].strip(), is_introduced)


def _find_closing(body: str, start: int) -> int | None:
    for index in range(start, min(len(body), start + _MAX_QUOTE_CHARS)):
        if body[index] not in _CLOSING_MARKS or len(body[start:index].strip()) < _MIN_QUOTE_CHARS:
            continue
        following = body[index + 1 : index + 3].removeprefix(" ")[:1]
        if following in ("", "\n") or following in _AFTER_QUOTE:
            return index
    return None


def _after_links(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines without links such as "Read review" at their beginning."""
    for skipped, line in enumerate(lines[:_MAX_LEADING_LINKS]):
        if not _END.match(line):
            return lines[skipped:]
    return ()


def _until_end(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if _END.match(line) or _NO_TEXT.search(line):
            return
        if line:
            yield line


def _is_wordless(letter: Letter) -> bool:
    return any(_NO_TEXT.search(line) for line in letter.lines)


def _find_link(letter: Letter, layout: Layout) -> str | None:
    for address in letter.links:
        host = address.split("/")[2].rpartition("@")[2].partition(":")[0].lower()
        if is_of(host, layout.domains) and _REVIEW_LINK.search(address):
            return address
    return None
