"""How well themes are found: the labelled sentences' own categories, as far as they are one of ours."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from analysis import reading
from analysis.reading import Asked, Reading
from analysis.sentiment import label_of
from analysis.themes import SHIPPED

# Which of our themes a set's category means, by how it begins; what is not here means none of them.
MEANS = {
    "service": "service", "staff": "service", "seller service#attitude": "service", "food": "product", "drinks": "product",
    "menu": "product", "rooms": "product", "room_amenities": "product", "facilities": "product",
    "product quality": "product", "battery": "product", "camera": "product", "screen": "product", "audio": "product",
    "appearance": "product", "performance": "product", "ambience": "ambience", "hotel design": "ambience",
    "location": "location", "logistics#speed": "waiting", "shipment delivery": "waiting",
    "seller service#timeliness": "waiting", "after-sales": "aftercare",
}  # fmt: skip
# set → the trade whose words are added, and the themes that its labels tell apart.
SETS = {
    "mabsa_hotel": ("hotel", "product service price location cleanliness ambience"),
    "mabsa_restaurant": ("restaurant", "product service price ambience"),
    "mabsa_food": ("online_shop", "product price waiting"),
    "mabsa_phone": ("online_shop", "product service price waiting aftercare"),
    "semeval14_rest_en": ("restaurant", "product service price ambience"),
    "mams_acsa_en": ("restaurant", "product service price ambience"),
}


def table(folder: Path, language: str) -> list[str]:
    """Micro-averaged precision, recall and F1 of themes, and how often what is said of one is read as its label says.

    On sentences of the test splits, or of dev where a set has no test. Polarity is of the labels' own themes, found or
    not, over happy, neutral and unhappy; themes that a sentence both praises and blames are left out.
    """
    lines = [
        "| set | sentences | precision | recall | F1 | polarity | if all were happy |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (trade, themes) in SETS.items():
        rows = list(_rows(folder, language, name))
        if not rows:
            continue
        told = frozenset(themes.split())
        seen: Counter[str] = Counter()
        read = reading.read_all([Asked(text, hint=language, default=language, trade=trade) for text, _ in rows])
        for (text, opinions), one in zip(rows, read, strict=True):
            found = SHIPPED.named(text, language, trade) & told
            meant = {theme for category, _ in opinions if (theme := _meant(category))} & told
            seen.update(both=len(found & meant), found=len(found), meant=len(meant))
            seen.update(_judged(opinions, one))
        precision, recall = seen["both"] / seen["found"], seen["both"] / seen["meant"]
        f1 = 2 * precision * recall / (precision + recall)
        figures = (precision, recall, f1, seen["right"] / seen["judged"], seen["happy"] / seen["judged"])
        lines.append(f"| {name} | {len(rows)} | {' | '.join(f'{100 * one:.1f}' for one in figures)} |")
    return lines


def _judged(opinions: list[tuple[str, str]], read: Reading) -> Counter[str]:
    """How many of the labelled categories are read as they are labelled: by what is said of their theme, or of all."""
    said = {one.theme: one.label for one in read.themes}
    labels: dict[str, set[str]] = {}
    for category, label in opinions:
        labels.setdefault(category, set()).add(label)
    clear = {category: one.pop() for category, one in labels.items() if len(one) == 1 and one <= {"neg", "neu", "pos"}}
    seen = Counter(judged=len(clear))
    for category, label in clear.items():
        theirs = said.get(_meant(category) or "", label_of(read.score))
        seen.update(right=int(theirs.startswith(label)), happy=int(label == "pos"))
    return seen


def _rows(folder: Path, language: str, name: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    with gzip.open(folder / f"aspects_{language}_sentences.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["source"] == name]
    split = "test" if sum(row["split"] == "test" for row in rows) > 1 else "dev"
    for row in rows:
        if row["split"] == split:
            yield row["text"], [(category.lower(), label) for category, label in row["opinions"]]


def _meant(category: str) -> str | None:
    if "price" in category or "value for money" in category:
        return "price"
    if "cleanliness" in category:
        return "cleanliness"
    return next((theme for begins, theme in MEANS.items() if category.startswith(begins)), None)
