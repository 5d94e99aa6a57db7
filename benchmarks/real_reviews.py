"""10,000 real reviews through the whole loop: `python -m benchmarks.real_reviews FOLDER [SEED]`.

Texts and stars are real (../shared/data). Which firm, author, id and date each gets is drawn by a seed over two years,
and the script plants bursts and drops to be found. Writes into FOLDER what a reader needs to judge the alerts and the
mails: nothing of it is kept in the project but the figures in docs/alerts.md.
"""

import csv
import gzip
import json
import random
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

from analysis import queries, store
from analysis.report import Week
from benchmarks.__main__ import DATA, SEED
from dashboards import weekly
from ingest.imports import import_file
from vigie import clock, companies, db
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.migrate import migrate
from vigie.log import open_log
from vigie.settings import Settings

FIRMS, REVIEWS, DAYS = 20, 10_000, 730
TODAY = clock.now().date()
# (language, sources of one trade): a firm's reviews are of one trade, as in life
TRADES = (
    ("fr", ("insurance",)),
    ("fr", ("tripadvisor_fr",)),
    ("fr", ("allocine_stars", "babelio", "critiqueslibres")),
    ("en", ("insurance_mt",)),
    ("en", ("imdb",)),
)


def main(folder: Path, seed: int = SEED) -> None:
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    house = open_house(folder)
    pools = read_pools(chance)
    planted = {}
    for n in range(FIRMS):
        language, pool = pools[n % len(pools)]
        with db.writing(house.engine) as connection:
            company_id = companies.add(connection, f"Firm {n:02d}", language=language)
            firm = companies.get(connection, company_id)
        planted[company_id] = rows = history(chance, pool, n)
        path = folder / f"firm{n:02d}.csv"
        write_csv(path, rows["rows"])
        done = import_file(house.engine, house.intake, firm, path, notify=True)
        assert not done.bad, done.bad[:3]
    work.analyse(house, threading.Event(), once=True)
    report(house, folder, planted, chance)


def open_house(folder: Path) -> House:
    settings = Settings(data_dir=folder / "data", secret_key="bench")
    house = House(settings, db.connect(settings.database), open_log(settings))
    migrate(house.engine)
    house.log.prepare()
    return house


def read_pools(chance: random.Random) -> list[tuple[str, dict[bool, list[dict]]]]:
    """For each trade its reviews with stars: the unhappy (1-2) and the others, in a drawn order."""
    pools = []
    for language, sources in TRADES:
        with gzip.open(DATA / f"sentiment_{language}.jsonl.gz", "rt", encoding="utf-8") as file:
            rows = [row for row in map(json.loads, file) if row["source"] in sources and row["stars"]]
        chance.shuffle(rows)
        pools.append((language, {bad: [row for row in rows if (row["stars"] <= 2) is bad] for bad in (True, False)}))
    return pools


def history(chance: random.Random, pool: dict[bool, list[dict]], n: int) -> dict:
    """One firm's two years: a steady rhythm, a share of unhappy customers, and what is planted."""
    share = chance.choice((0.1, 0.15, 0.2, 0.3))
    days = [TODAY - timedelta(days=chance.randrange(DAYS)) for _ in range(REVIEWS // FIRMS - 60)]
    burst = TODAY - timedelta(days=chance.randrange(30, 400)) if n % 2 == 0 else None
    drop = TODAY - timedelta(days=chance.randrange(60, 400)) if n % 4 == 1 else None
    if burst:
        days += [burst + timedelta(days=chance.randrange(6)) for _ in range(35)]
    days += [TODAY - timedelta(days=chance.randrange(DAYS)) for _ in range(REVIEWS // FIRMS - len(days))]
    rows = []
    for at, day in enumerate(sorted(days)):
        worse = drop is not None and drop <= day < drop + timedelta(days=45)
        bad = chance.random() < (0.75 if worse else share)
        review = pool[bad].pop() if pool[bad] else pool[not bad].pop()
        rows.append(
            {
                "id": f"{n}-{at}",
                "date": day.isoformat(),
                "note": review["stars"],
                "auteur": f"Client {at}",
                "avis": review["text"],
            }
        )
    return {"rows": rows, "burst": burst, "drop": drop}


def write_csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def report(house: House, folder: Path, planted: dict, chance: random.Random) -> None:
    alerts, found, missed = [], Counter(), Counter()
    with db.reading(house.engine) as connection:
        kept, counted = store.recount(connection)
        for company_id, rows in planted.items():
            raised = list(queries.alerts(connection, company_id, limit=2_000))
            alerts += raised
            for rule, moment in (("unusual_volume", rows["burst"]), ("sentiment_drop", rows["drop"])):
                if moment:
                    near = [
                        one
                        for one in raised
                        if one["rule"] == rule and -7 <= (one["happened_at"].date() - moment).days <= 60
                    ]
                    (found if near else missed)[rule] += 1
        over_time = [one for one in alerts if one["rule"] != "negative_mention"]
        negatives = chance.sample([one for one in alerts if one["rule"] == "negative_mention"], 100 - len(over_time))
        with (folder / "alerts.jsonl").open("w", encoding="utf-8") as file:
            for one in over_time + negatives:
                texts = [
                    queries.one_mention(connection, one["company_id"], mention)["text"]
                    for mention in one["mention_ids"]
                ]
                drawn = planted[one["company_id"]]
                truth = {"burst": str(drawn["burst"]), "drop": str(drawn["drop"])}
                shown = {
                    "rule": one["rule"],
                    "day": str(one["happened_at"].date()),
                    "facts": one["facts"],
                    "texts": texts,
                    "planted": truth,
                }
                file.write(json.dumps(shown, ensure_ascii=False) + "\n")
        for company_id in list(planted)[:10]:
            firm = dict(companies.get(connection, company_id))
            week = Week(Week.of(TODAY).first - timedelta(weeks=chance.randrange(40)))
            facts = weekly.gather(connection, firm, week)
            mail = weekly.render(facts, firm["language"], page=None)
            (folder / f"mail-{firm['name'][-2:]}-{week.name}.txt").write_text(
                f"{mail.subject}\n\n{mail.text}", encoding="utf-8"
            )
    print(
        f"rollups equal a recount: {kept == counted}; mentions: {sum(s.mentions for k, s in kept.items() if not k.theme)}"
    )
    print(f"alerts: {Counter(one['rule'] for one in alerts)}")
    print(f"planted and found: {dict(found)}; planted and missed: {dict(missed)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
