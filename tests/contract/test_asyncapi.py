"""docs/asyncapi.yaml describes what is written to the topics, and its references and examples hold.

The file was checked against the JSON schema of AsyncAPI 3.0.0 (npm's @asyncapi/specs 6.11.1), which is too large to be
kept here.
"""

import json
from datetime import UTC, datetime
from functools import reduce

import jsonschema_rs
import pytest
import yaml

from tests.servers import ROOT
from vigie import consumer, events
from vigie.events import AlertRaised, AlertResolved, Mention, MentionsCollected, Origin
from vigie.log import ANALYSIS, PARTITIONS, TOPICS, Batch, Partition, Record

PATH = ROOT / "docs/asyncapi.yaml"
API = yaml.safe_load(PATH.read_text())
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MENTION = Mention(id="m", text="Bon pain.", published_at=NOW, collected_at=NOW)
ALERT = {
    "id": "al_1", "company_id": "co_1", "rule": "negative_mention", "window": "once", "facts": {}, "mention_ids": ["m"],
    "happened_at": "2026-11-23T12:00:00Z", "raised_at": "2026-11-23T12:00:00Z",
}  # fmt: skip
EVENTS = {
    "mentionsCollected": MentionsCollected(
        id="e", time=NOW, company_id="co_1", source=Origin("so_1", "push", "CRM"), mentions=(MENTION,)
    ),
    "alertRaised": AlertRaised(id="e", time=NOW, company_id="co_1", shown=ALERT),
    "alertResolved": AlertResolved(id="e", time=NOW, company_id="co_1", shown=ALERT),
}


def resolve(node):
    """Return a node with the target of each reference in its place. Raises KeyError or OSError where one leads nowhere."""
    if isinstance(node, list):
        return [resolve(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" not in node:
        return {name: resolve(value) for name, value in node.items()}
    file, _, pointer = node["$ref"].partition("#")
    if file:
        schema = json.loads((PATH.parent / file).read_text())
        return {name: value for name, value in schema.items() if name not in {"$id", "$schema"}}
    return resolve(reduce(lambda parent, name: parent[name], pointer.strip("/").split("/"), API))


RESOLVED = resolve(API)
MESSAGES = RESOLVED["components"]["messages"]


def validate(schema, value):
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(value)


def test_it_names_the_topics_their_partitions_and_the_group():
    assert API["asyncapi"] == "3.0.0"
    channels = API["channels"].values()
    assert {channel["address"] for channel in channels} == set(TOPICS)
    assert {channel["bindings"]["kafka"]["partitions"] for channel in channels} == {PARTITIONS}
    group = API["operations"]["analyseMentions"]["bindings"]["kafka"]["groupId"]
    assert group["enum"] == [ANALYSIS]


def test_each_operation_uses_messages_of_its_channel():
    for operation in API["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


def test_each_message_has_an_example_that_its_schemas_accept():
    for message in MESSAGES.values():
        (example,) = message["examples"]
        validate(message["headers"], example["headers"])
        validate(message["payload"], example["payload"])


@pytest.mark.parametrize("name", EVENTS)
def test_each_event_that_is_sent_is_as_described(name):
    message, event = MESSAGES[name], EVENTS[name]
    validate(message["payload"], json.loads(events.encode(event)))
    assert message["name"] == event.TYPE
    assert message["headers"]["properties"]["content-type"]["const"] == events.CONTENT_TYPE


def test_an_event_of_another_kind_is_refused():
    alert = json.loads(events.encode(EVENTS["alertRaised"]))
    with pytest.raises(jsonschema_rs.ValidationError):
        validate(MESSAGES["alertResolved"]["payload"], alert)


def test_the_headers_of_a_dead_letter_are_those_that_are_sent():
    record = Record(7, b"co_1", b"not json", (("from", b"elsewhere"),), NOW)
    batch = Batch(Partition("mentions", 2), 7, 8, (record,))
    row = consumer._dead_row(batch, consumer.DeadLetter(record, "not JSON", record.value))
    sent = consumer._announcement(row, "UndecodableError").headers
    described = MESSAGES["deadLetter"]["headers"]
    validate(described, sent)
    assert set(sent) == {*described["required"], "from", "key"}, "the sender takes `key` away"
