"""Reviews between two lines that a platform writes itself: a heading with the rating, and what asks for a reply.

Strangers write only between them, so a rating is read above, and an id in the link below. A mail may hold several
reviews: it says how many, and a text in which a stranger imitates these lines makes another number, so that nothing is
read. The shapes are those that public programs expect of the real mails; see docs/sources.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.mail.letter import Letter

_RATINGS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "une": 1, "deux": 2, "trois": 3, "quatre": 4}
_RATINGS |= {"cinq": 5, "un": 1}
_LEADING_SIGNS = "<([* "
_MAX_HEADING_LINES = 6  # among which the heading stands, above anything that a stranger wrote
_MAX_NAME_CHARS = 80
_QUOTES = "«“\"'"


@dataclass(frozen=True, slots=True)
class Frame:
    """The lines of one platform around its reviews.

    `headings` name the rating, and perhaps the author; `probable` ones were never seen, so that their reviews wait for
    their owner's word. `counts` are subjects of mails with several reviews, `ids` what holds a review's id in a link.
    """

    headings: tuple[re.Pattern[str], ...]
    probable: tuple[re.Pattern[str], ...]
    links: re.Pattern[str]
    ends: re.Pattern[str]
    wordless: re.Pattern[str]
    counts: tuple[re.Pattern[str], ...]
    ids: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Framed:
    """One review as it stands in its frame; `is_known` where the heading is one that was seen."""

    author: str
    rating: int
    text: str
    is_wordless: bool
    review_id: str | None
    is_known: bool


@dataclass(frozen=True, slots=True)
class _Heading:
    """The first line that names a rating, and what it says; `author` is empty where it names none."""

    line: int
    author: str
    rating: int
    is_known: bool


def parse_frame(data: Mapping[str, list[str]]) -> Frame:
    """Return the frame that a layout's file describes."""
    return Frame(
        headings=tuple(re.compile(pattern, re.I) for pattern in data["headings"]),
        probable=tuple(re.compile(pattern, re.I) for pattern in data.get("probable", ())),
        links=re.compile("|".join(data.get("links", [r"https?://"])), re.I),
        ends=re.compile("|".join(data["ends"]), re.I),
        wordless=re.compile("|".join(data.get("wordless", [r"\b\B"])), re.I),
        counts=tuple(re.compile(pattern, re.I) for pattern in data.get("counts", ())),
        ids=tuple(re.compile(pattern) for pattern in data.get("ids", ())),
    )


def count_of(letter: Letter, frame: Frame) -> int:
    """Return how many reviews the subject tells of; 0 where it says no number."""
    matches = (pattern.search(letter.subject) for pattern in frame.counts)
    return next((int(match["count"]) for match in matches if match), 0)


def read_framed(letter: Letter, frame: Frame, author: str) -> list[Framed]:
    """Return the reviews of a mail, none where it is not written in this frame.

    `author` is the beginning of the author's name, as the subject says it.
    """
    heading = _find_heading(letter, frame)
    if heading is None or (author and any(line.startswith(author) for line in letter.lines[: heading.line])):
        return []
    lines = letter.lines[heading.line + 1 :]
    ends = [index for index, line in enumerate(lines) if frame.ends.match(line.lstrip(_LEADING_SIGNS))]
    count = max(1, count_of(letter, frame))
    if count == 1:  # the last line that asks for a reply is the platform's, whatever the customer wrote
        ends = ends[-1:]
    if len(ends) != count:
        return []
    reviews = [_read_block(block, heading, frame, author, count) for block in _split(lines, ends, frame)]
    complete = [review for review in reviews if review]
    review_ids = _review_ids(letter, frame, lines[ends[0] :], count)
    if len(complete) != count:
        return []
    return [replace(review, review_id=review_id) for review, review_id in zip(complete, review_ids, strict=True)]


def _read_block(block: Sequence[str], heading: _Heading, frame: Frame, author: str, count: int) -> Framed | None:
    """Return the review between two of the platform's lines; None where no line is surely the name."""
    name, text = heading.author, block
    if not name:
        name, text = _split_name(block, author, is_one_of_several=count > 1)
    if not name:
        return None
    is_wordless = len(text) == 1 and bool(frame.wordless.search(text[0]))
    words = "" if is_wordless else "\n".join(text)
    return Framed(name, heading.rating, words, is_wordless, None, heading.is_known)


def has_heading(letter: Letter, frame: Frame) -> bool:
    """Whether any line is one that the platform writes above its reviews, wherever it stands."""
    return any(pattern.match(line) for line in letter.lines for pattern in frame.headings)


def _find_heading(letter: Letter, frame: Frame) -> _Heading | None:
    for index, line in enumerate(letter.lines[:_MAX_HEADING_LINES]):
        seen = next((match for pattern in frame.headings if (match := pattern.match(line))), None)
        probable = next((match for pattern in frame.probable if (match := pattern.search(line))), None)
        if match := seen or probable:
            author = match["author"] if "author" in match.re.groupindex else ""
            return _Heading(index, author, _rating_of(match), is_known=seen is not None)
    return None


def _rating_of(heading: re.Match[str]) -> int:
    words = heading["rating"].lower()
    if words in _RATINGS:
        return _RATINGS[words]
    return int(words) if words.isdigit() else sum(sign in "★⭐" for sign in words)


def _split(lines: Sequence[str], ends: Sequence[int], frame: Frame) -> list[Sequence[str]]:
    """Return what stands between each two lines that ask for a reply."""
    begins = [0, *(index + 1 for index in ends)]
    return [_without_links(lines[begin:end], frame) for begin, end in zip(begins, ends, strict=False)]


def _without_links(lines: Sequence[str], frame: Frame) -> Sequence[str]:
    """Return the lines without the links at their beginning ("Read review", and its address)."""
    begin = 0
    while begin < len(lines) and frame.links.match(lines[begin].lstrip(_LEADING_SIGNS)):
        begin += 1
    return lines[begin:]


def _split_name(block: Sequence[str], author: str, *, is_one_of_several: bool) -> tuple[str, Sequence[str]]:
    """Return the name above a text, and the text; an empty name where the first line is not surely one."""
    if not block or len(block[0]) > _MAX_NAME_CHARS or block[0][0] in _QUOTES:
        return "", ()
    is_confirmed = bool(author) and block[0].casefold().startswith(author.casefold())
    is_unnamed_with_text = not author and len(block) > 1
    is_name = is_confirmed or is_one_of_several or is_unnamed_with_text
    return (block[0], block[1:]) if is_name else ("", ())


def _review_ids(letter: Letter, frame: Frame, lines_below: Sequence[str], count: int) -> list[str | None]:
    """Return the id of each review, from links that the platform wrote; None for each where they are not clear.

    Addresses in a text count only below the last line that a stranger may have written.
    """
    addresses = letter.links if letter.is_linked_by_markup else lines_below
    matches = [match for address in addresses for pattern in frame.ids if (match := pattern.search(address))]
    distinct = list(dict.fromkeys(match[1] for match in matches if not match[1].islower()))  # no word such as "help"
    if count == 1 and distinct:
        return [distinct[-1]]
    return [*distinct] if len(distinct) == count and letter.is_linked_by_markup else [None] * count
