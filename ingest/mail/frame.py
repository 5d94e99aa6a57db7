"""Reviews between two lines that a platform writes itself: a heading with the rating, and what asks for a reply.

Strangers write only between them, so a rating is read above, and an id in the link below. A mail may hold several
reviews: it says how many, and a text in which a stranger imitates these lines makes another number, so that nothing is
read. The shapes are those that public programs expect of the real mails; see docs/sources.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.mail.letter import Letter

_RATINGS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "une": 1, "deux": 2, "trois": 3, "quatre": 4}
_RATINGS |= {"cinq": 5, "un": 1}
_REVIEW_ID = re.compile(r"/reviews/([\w-]{4,200})")
_LEADING_SIGNS = "<([* "
_MAX_HEADING_LINES = 12  # among which the heading stands
_MAX_NAME_CHARS = 80
_QUOTES = "«“\"'"


@dataclass(frozen=True, slots=True)
class Frame:
    """The lines of one platform around its reviews.

    `headings` name the rating, and perhaps the author; `probable` ones were never seen, so that their reviews wait for
    their owner's word. `counts` are subjects of mails with several reviews.
    """

    headings: tuple[re.Pattern[str], ...]
    probable: tuple[re.Pattern[str], ...]
    links: re.Pattern[str]
    ends: re.Pattern[str]
    wordless: re.Pattern[str]
    counts: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Framed:
    """One review as it stands in its frame; `is_known` where the heading is one that was seen."""

    author: str
    rating: int
    text: str
    is_wordless: bool
    review_id: str | None
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
    )


def count_of(letter: Letter, frame: Frame) -> int:
    """Return how many reviews the subject tells of; 0 where it says no number."""
    matches = (pattern.search(letter.subject) for pattern in frame.counts)
    return next((int(match["count"]) for match in matches if match), 0)


def read_framed(letter: Letter, frame: Frame, author: str) -> list[Framed]:
    """Return the reviews of a mail, none where it is not written in this frame.

    `author` is the beginning of the author's name, as the subject says it.
    """
    heading_index, heading, is_known = _find_heading(letter, frame)
    if heading is None:
        return []
    lines = letter.lines[heading_index + 1 :]
    ends = [index for index, line in enumerate(lines) if frame.ends.match(line.lstrip(_LEADING_SIGNS))]
    count = count_of(letter, frame)
    if not ends:
        return []
    blocks = _split(lines, ends, frame) if count > 1 else [_without_links(lines[: ends[-1]], frame)]
    if count > 1 and len(blocks) != count:
        return []
    ids = _review_ids(letter, lines[ends[0] if count > 1 else ends[-1] :], len(blocks))
    rating = _rating_of(heading)
    named = heading["author"] if "author" in heading.re.groupindex else ""
    reviews = []
    for block, review_id in zip(blocks, ids, strict=True):
        name, text = (named, block) if named else _split_name(block, author, is_one_of_several=count > 1)
        if not name:
            return []
        is_wordless = any(frame.wordless.search(line) for line in text[:1])
        words = "" if is_wordless else "\n".join(text)
        reviews.append(Framed(name, rating, words, is_wordless, review_id, is_known))
    return reviews


def _find_heading(letter: Letter, frame: Frame) -> tuple[int, re.Match[str] | None, bool]:
    """Return the index of the first heading, its match, and whether such a heading was seen."""
    for index, line in enumerate(letter.lines[:_MAX_HEADING_LINES]):
        for pattern in frame.headings:
            if match := pattern.match(line):
                return index, match, True
        for pattern in frame.probable:
            if match := pattern.search(line):
                return index, match, False
    return 0, None, False


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


def _review_ids(letter: Letter, lines_below: Sequence[str], count: int) -> list[str | None]:
    """Return the id of each review, from links that the platform wrote; None for each where they are not clear.

    Addresses in a text count only below the last line that a stranger may have written.
    """
    addresses = letter.links if letter.is_linked_by_markup else lines_below
    found = [match[1] for address in addresses if (match := _REVIEW_ID.search(address))]
    distinct = list(dict.fromkeys(found))
    if count == 1 and distinct:
        return [distinct[-1]]
    return [*distinct] if len(distinct) == count and letter.is_linked_by_markup else [None] * count
