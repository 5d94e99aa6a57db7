"""Settings, events, placing of keys, access, secrets: the small promises that everything rests on."""

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie import access, clock, db, events, ids, settings
from vigie.errors import SettingsError, UndecodableError
from vigie.events import AlertRaised, Mention, MentionsCollected, Origin, decode, encode
from vigie.log.partition import murmur2
from vigie.secrets import Vault

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "expected"),
    [  # Apache Kafka's own test vectors, UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_keys_are_placed_as_kafka_places_them(key, expected):
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_settings_are_embedded_by_default(embedded):
    assert embedded.database.startswith("sqlite:///")
    assert embedded.log.startswith("sqlite:///")
    assert embedded.log_retention == timedelta(days=30)
    assert embedded.is_loopback


def test_settings_come_from_the_environment_and_a_file(embedded, monkeypatch, tmp_path):
    (tmp_path / "vigie.toml").write_text('mail_from = "a@example.fr"\nlog_retention = "7 days"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIGIE_ALLOW_HOSTS", "intranet:8080, 10.0.0.0/8")
    monkeypatch.setenv("VIGIE_LOG_RETENTION", "12")
    read = settings.load()
    assert read.mail_from == "a@example.fr"
    assert read.log_retention == timedelta(days=12), "the environment goes before the file"
    assert read.allow_hosts == ("intranet:8080", "10.0.0.0/8")


@pytest.mark.parametrize("name", ["VIGIE_DATABASE_URL", "VIGIE_LOG_URL"])
def test_an_unusable_setting_is_named(embedded, monkeypatch, name):
    monkeypatch.setenv(name, "mysql://x")
    with pytest.raises(SettingsError, match=name):
        settings.load()


def test_the_secret_key_is_made_once_and_for_its_owner_only(embedded):
    first = embedded.secret()
    assert settings.load().secret() == first
    assert stat.S_IMODE((embedded.data_dir / "secret.key").stat().st_mode) == 0o600


def test_passwords_are_hidden_where_settings_are_shown(embedded, monkeypatch):
    monkeypatch.setenv("VIGIE_SMTP_URL", "smtp://marie:geheim@mail.example.fr")
    monkeypatch.setenv("VIGIE_SECRET_KEY", "geheim-0123456789-abcdefghijklmnop")
    assert "geheim" not in str(settings.load().described())


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
mentions = st.builds(
    Mention,
    id=st.text("abc123", min_size=1, max_size=32),
    text=texts,
    title=st.none() | texts,
    published_at=moments,
    collected_at=moments,
    published_at_known=st.booleans(),
    rating=st.none() | st.floats(0, 5),
    updated_at=st.none() | moments,
)


@given(st.lists(mentions, min_size=1, max_size=5), st.sampled_from(["fresh", "never", "always"]))
def test_an_event_comes_back_as_it_was_sent(collected, notify):
    event = MentionsCollected(
        id="e1",
        time=NOON,
        company_id="co_1",
        source=Origin("so_1", "feed", "Avis"),
        mentions=tuple(collected),
        notify=notify,
    )
    assert decode(encode(event)) == event


@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_say_why_not(value):
    with pytest.raises(UndecodableError):
        decode(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["source", "mentions", "id", "text", "published_at", "rating"]), inner, max_size=4),
    )
)  # fmt: skip
def test_any_data_is_decoded_or_says_why_not(data):
    envelope = {
        "specversion": "1.0", "id": "1", "source": "/companies/c", "type": "mentions.collected",
        "time": "2026-11-23T12:00:00Z", "dataschema": "urn:vigie:schema:mentions.collected:1", "data": data,
    }  # fmt: skip
    try:
        decoded = decode(json.dumps(envelope).encode())
    except UndecodableError:
        return
    assert decoded.company_id == "c"


def collected(**changes):
    event = MentionsCollected(
        id="e1",
        time=NOON,
        company_id="co_1",
        source=Origin("so_1", "feed", "Avis"),
        mentions=(Mention(id="m1", text="bon", published_at=NOON, collected_at=NOON),),
    )
    return {**events.envelope(event), **changes}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "mentions.unheard"}, "unknown event type"),
        ({"dataschema": "urn:vigie:schema:mentions.collected:9"}, "version 9"),
        ({"dataschema": "urn:vigie:schema:mentions.collected:0"}, "version 0"),
        ({"dataschema": "x"}, "no version"),
        ({"specversion": "0.3"}, "CloudEvents"),
        ({"data": {"source": {"id": "s", "kind": "k"}, "mentions": []}}, "1 to 50"),
        ({"time": "yesterday"}, "time"),
    ],
)
def test_what_is_not_ours_says_why(changes, reason):
    with pytest.raises(UndecodableError, match=reason):
        decode(json.dumps(collected(**changes)).encode())


def test_an_older_version_is_lifted(monkeypatch):
    monkeypatch.setitem(events.UPGRADES, ("mentions.collected", 0), lambda data: {**data, "mentions": data["items"]})
    old = collected(dataschema="urn:vigie:schema:mentions.collected:0")
    old["data"]["items"] = old["data"].pop("mentions")
    assert decode(json.dumps(old).encode()).mentions[0].text == "bon"


def test_one_unusable_mention_leaves_the_others():
    event = collected()
    event["data"]["mentions"].append({"id": "m2", "text": "x" * 20_001})
    decoded = decode(json.dumps(event).encode())
    assert [one.id for one in decoded.mentions] == ["m1"]
    assert "text" in decoded.unusable[0].reason


def test_an_alert_comes_back_as_it_was_sent():
    event = AlertRaised(id="a1", time=NOON, company_id="co_1", shown={"rule": "negative_mention"})
    assert decode(encode(event)) == event


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4), st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_derived_ids_never_confuse_their_parts(some, others):
    assert (ids.derived(*some) == ids.derived(*others)) == (some == others)


def test_a_secret_is_read_with_its_key_only():
    sealed = Vault("one").encrypt("whsec_x")
    assert b"whsec" not in sealed
    assert Vault("one").decrypt(sealed) == "whsec_x"
    with pytest.raises(SettingsError):
        Vault("two").decrypt(sealed)


def test_a_link_opens_one_session_within_the_hour(engine):
    with db.writing(engine) as connection:
        link, late = access.create_link(connection), access.create_link(connection)
        session = access.open_session(connection, link)
        assert access.open_session(connection, link) is None
        assert access.authenticate(connection, session, "session").may("admin", "any")
        assert access.authenticate(connection, session, "key") is None
        assert access.authenticate(connection, link, "session") is None
        with clock.held(clock.now() + timedelta(hours=2)):
            assert access.open_session(connection, late) is None


def test_a_key_sees_its_own_firm_and_ends(engine):
    from vigie import companies

    with db.writing(engine) as connection:
        own = companies.add(connection, "A")
        key = access.create_key(
            connection, "k", company_id=own, role="editor", expires_at=clock.now() + timedelta(days=1)
        )
        who = access.authenticate(connection, key, "key")
        assert who.may("editor", own)
        assert not who.may("admin", own)
        assert not who.may("reader", "another")
        assert not who.may("reader", None)
        with clock.held(clock.now() + timedelta(days=2)):
            assert access.authenticate(connection, key, "key") is None
