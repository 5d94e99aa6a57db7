"""What a large model, which is not shipped, said of the texts to learn from and of some sentences of each.

A label tells whether a whole review is happy; the teacher also tells which of its sentences are. Its words are kept as
numbers by the checksum of the text, never with the text itself. `analysis.learned.teach` makes them.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

Chances = npt.NDArray[np.float64]
FOLDER = Path(__file__).parent / "lessons"
_MOST = 6  # sentences of a text
_WORDS = 3  # of the shortest sentence
_STEPS = 15  # that a chance is told in
_END = re.compile(r"(?<=[.!?…])[\s\"»)]+|\n+|<br ?/?>")


def sentences(text: str) -> list[str]:
    """Sentences of a text that has several, six at most and from all over it."""
    found: list[str] = []
    for part in filter(str.strip, _END.split(text)):
        if found and min(len(part.split()), len(found[-1].split())) < _WORDS:
            found[-1] += " " + part
        else:
            found.append(part)
    return [] if len(found) < 2 else found[:: -(-len(found) // _MOST)]


class Lessons:
    """By text: how likely the whole, then each of its `sentences`, is happy, and unhappy; shape (1 + sentences, 2)."""

    def __init__(self, said: Mapping[int, Chances]) -> None:
        self._said = said

    def of(self, text: str) -> Chances | None:
        """None for a text that the teacher was not asked of."""
        return self._said.get(_key(text))


def packed(texts: Sequence[str], said: Sequence[Chances]) -> dict[str, Any]:
    """What `unpacked` reads: checksums, how many each, and two chances in a byte."""
    steps = np.rint(np.concatenate(said) * _STEPS).astype(np.uint8)
    return {
        "texts": np.array([_key(text) for text in texts], np.uint32),
        "sizes": np.array([len(one) for one in said], np.uint8),
        "said": steps[:, 0] << 4 | steps[:, 1],
    }


def unpacked(path: Path) -> Lessons:
    """The lessons of a file; none where there is no such file."""
    if not path.exists():
        return Lessons({})
    with np.load(path) as kept:
        chances = np.stack((kept["said"] >> 4, kept["said"] & 15), axis=1) / _STEPS
        parts = np.split(chances, np.cumsum(kept["sizes"])[:-1])
        return Lessons(dict(zip(kept["texts"].tolist(), parts, strict=True)))


def _key(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))
