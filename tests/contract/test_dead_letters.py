"""What cannot be decoded goes to `mentions.dead` with its reason; the partition goes on; a replay puts it back."""

import json
import threading

from sqlalchemy import select, update

from tests.servers import wait_until
from vigie import companies, db, deadletters
from vigie.cli import work
from vigie.cli.house import House
from vigie.db.tables import dead_letter, mention
from vigie.log import DEAD, MENTIONS, Message
from vigie.log.partition import partition_of
from vigie.positions import StoredPositions
from vigie.settings import Settings


def event(company_id, *mentions):
    data = {"source": {"id": "so", "kind": "push", "name": "API"}, "mentions": mentions}
    return json.dumps(
        {
            "specversion": "1.0", "id": "1", "source": f"/companies/{company_id}", "type": "mentions.collected",
            "time": "2026-11-23T12:00:00Z", "dataschema": "urn:vigie:schema:mentions.collected:1", "data": data,
        }
    ).encode()  # fmt: skip


def said(mention_id, **more):
    moment = "2026-11-20T12:00:00Z"
    return {"id": mention_id, "text": "Bon pain.", "published_at": moment, "collected_at": moment, **more}


def stored(engine):
    with db.reading(engine) as connection:
        return set(connection.scalars(select(mention.c.id)))


def test_poison_is_set_aside_told_and_put_back(log, engine, tmp_path):
    house = House(Settings(data_dir=tmp_path, secret_key="test"), engine, log)
    with db.writing(engine) as connection:
        firm = companies.add(connection, "Boulangerie")
    poison = [
        b"not json", b"{}", b"\xff\xfe", b"[" * 100_000, b'"' + b"x" * 900_000 + b'"', event(firm, said("m9", text=7)),
        event(firm, said("good"), said("bad", rating=7), "nonsense"),
    ]  # fmt: skip
    log.append(MENTIONS, [Message(firm, one) for one in poison])
    log.append(MENTIONS, [Message(firm, event(firm, said("last")))])
    work.analyse(house, threading.Event(), once=True)
    assert stored(engine) == {"good", "last"}
    with db.reading(engine) as connection:
        reasons = [row["reason"] for row in deadletters.waiting(connection)]
    assert len(reasons) == 8
    assert any("rating" in reason for reason in reasons)

    work.deliver(house, threading.Event(), once=True)
    with log.subscribe("dead-readers", [DEAD], StoredPositions(engine)) as subscription:
        found = []
        wait_until(
            lambda: found.extend(r for b in subscription.poll(timeout=0.2) for r in b.records) or len(found) >= 8
        )
    assert {dict(record.headers)["reason"].decode() for record in found} == set(reasons)
    offsets = {dict(record.headers)["__connect.errors.offset"].decode() for record in found}
    assert offsets == {str(offset) for offset in range(len(poison))}
    headers = {name: value.decode() for name, value in found[0].headers}
    assert headers["__connect.errors.topic"] == MENTIONS
    assert headers["__connect.errors.partition"] == str(partition_of(firm, 8))
    assert headers["__connect.errors.exception.class.name"] == "UndecodableError"
    assert headers["__connect.errors.exception.message"] == headers["reason"]
    with db.reading(engine) as connection:
        letters = deadletters.waiting(connection)
        assert set(deadletters.company_names(connection, letters).values()) == {"Boulangerie"}

    with db.writing(engine) as connection:  # somebody mends the record
        (broken,) = [row["id"] for row in deadletters.waiting(connection) if b"m9" in (row["value"] or b"")]
        mended = update(dead_letter).where(dead_letter.c.id == broken)
        connection.execute(mended.values(value=event(firm, said("m9"))))
    assert deadletters.replay(engine, log, [broken]) == 1
    work.analyse(house, threading.Event(), once=True)
    assert "m9" in stored(engine)
    with db.reading(engine) as connection:
        assert len(deadletters.waiting(connection)) == 7
