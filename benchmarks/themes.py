"""How well themes are found: the labelled sentences' own categories, as far as they are one of ours."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

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
    """Micro-averaged precision, recall and F1 on sentences of the test splits, or of dev where a set has no test."""
    lines = ["| set | sentences | precision | recall | F1 |", "|---|---|---|---|---|"]
    for name, (trade, themes) in SETS.items():
        rows = list(_rows(folder, language, name))
        if not rows:
            continue
        told = frozenset(themes.split())
        seen: Counter[str] = Counter()
        for text, meant in rows:
            found = SHIPPED.named(text, language, trade) & told
            seen.update(both=len(found & meant & told), found=len(found), meant=len(meant & told))
        precision, recall = seen["both"] / seen["found"], seen["both"] / seen["meant"]
        f1 = 2 * precision * recall / (precision + recall)
        lines.append(f"| {name} | {len(rows)} | {100 * precision:.1f} | {100 * recall:.1f} | {100 * f1:.1f} |")
    return lines


def _rows(folder: Path, language: str, name: str) -> Iterator[tuple[str, set[str]]]:
    with gzip.open(folder / f"aspects_{language}_sentences.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["source"] == name]
    split = "test" if sum(row["split"] == "test" for row in rows) > 1 else "dev"
    for row in rows:
        if row["split"] == split:
            yield row["text"], {theme for category, _ in row["opinions"] if (theme := _meant(category.lower()))}


def _meant(category: str) -> str | None:
    if "price" in category or "value for money" in category:
        return "price"
    if "cleanliness" in category:
        return "cleanliness"
    return next((theme for begins, theme in MEANS.items() if category.startswith(begins)), None)
