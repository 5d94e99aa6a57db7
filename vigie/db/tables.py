"""What is stored. Columns say their unit where the name does not; a moment is an `Instant`, a day is a `Day`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
    true,
)

from vigie.db.types import Day, Instant, Json

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _company() -> Column[str]:
    return Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), nullable=False)


# Which rows two partial indexes of `mention` hold; a query must say so in the same words (analysis/queries.py).
_EXCLUDED = text("status = 'aside' OR apart IS NOT NULL")
_ASKING = text("wishes <> '[]'")

# Who listens, and where

company = Table(
    "company",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("city", Text),
    Column("siren", String(14)),
    Column("sector", String(16)),
    Column("aliases", Json, nullable=False),
    Column("website", Text),
    # First names of the team, masked where a customer complains.
    Column("staff", Json, nullable=False, server_default="[]"),
    # Whether authors are known by a pseudonym from when they are collected.
    Column("pseudonyms", Boolean, nullable=False, server_default=false()),
    Column("language", String(8), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
)

location = Table(
    "location",
    metadata,
    Column("id", String(64), primary_key=True),
    _company(),
    Column("name", Text, nullable=False),
    Column("city", Text),
    Index(None, "company_id"),
)

source = Table(
    "source",
    metadata,
    Column("id", String(64), primary_key=True),
    _company(),
    Column("location_id", String(64), ForeignKey("location.id", ondelete="SET NULL")),
    Column("kind", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("options", Json, nullable=False),
    # Passwords and keys among the options, sealed (vigie/secrets.py).
    Column("sealed", LargeBinary),
    # Whether the secret was set by the host: then a firm's editors change neither target nor options.
    Column("held_by_host", Boolean, nullable=False, server_default=false()),
    # What the source needs to ask only for what is new; stored once its mentions are durable in the log.
    Column("cursor", Json, nullable=False),
    # Seconds between two polls, learnt from how often it brings something.
    Column("every", Integer),
    # What the page of the firm lacks, in words of ingest/sources/page.py.
    Column("findings", Json),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("error", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", Instant),
    Column("polled_at", Instant),
    Column("received_at", Instant),
    # From this day on its days count in baselines.
    Column("listening_since", Day),
    Column("created_at", Instant, nullable=False),
    Index(None, "company_id"),
)

# What customers see on a platform: the average and count that it shows, by the day on which they were seen.
aggregate = Table(
    "aggregate",
    metadata,
    Column("source_id", String(64), ForeignKey("source.id", ondelete="CASCADE"), primary_key=True),
    Column("platform", String(64), primary_key=True),
    Column("day", Day, primary_key=True),
    _company(),
    # On five.
    Column("average", Float, nullable=False),
    Column("count", Integer, nullable=False),
    Column("given", String(64), nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index(None, "company_id"),
)

# What people told of forms: how the columns of a file with such a header are read, whether mails of such a layout are
# read well.
learnt = Table(
    "learnt",
    metadata,
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
    # columns, layout
    Column("kind", String(16), primary_key=True),
    Column("shape", String(64), primary_key=True),
    Column("value", Json, nullable=False),
    Column("at", Instant, nullable=False),
)

recipient = Table(
    "recipient",
    metadata,
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
    Column("email", String(320), primary_key=True),
    Column("edition", String(16), nullable=False),
    Column("language", String(8), nullable=False),
    Column("created_at", Instant, nullable=False),
    # Whether alerts are mailed: none, instant or daily; and when they were last.
    Column("alerts", String(16), nullable=False, server_default="none"),
    Column("alerted_at", Instant),
    # How often the firm's mail comes: weekly, daily or monthly.
    Column("frequency", String(16), nullable=False, server_default="weekly"),
    # The rules whose alerts are mailed; null for all of them.
    Column("rules", Json(none_as_null=True)),
    # Whether an alert is mailed again until somebody has seen to it.
    Column("reminders", Boolean, nullable=False, server_default=false()),
)

# The alerts that each recipient was mailed: when last, and how many times.
alerted = Table(
    "alerted",
    metadata,
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
    Column("email", String(320), primary_key=True),
    Column("alert_id", String(64), primary_key=True),
    Column("told_at", Instant),
    Column("times", Integer, nullable=False, server_default="1"),
)

# What was said, and what it says

mention = Table(
    "mention",
    metadata,
    Column("id", String(64), primary_key=True),
    _company(),
    Column("source_id", String(64), nullable=False),
    Column("location_id", String(64)),
    Column("url", Text),
    Column("author", Text),
    # The address that a customer left to be answered; shown to those who answer, and to nobody else.
    Column("contact", Text),
    # What a customer typed where the form asks for a wish.
    Column("wish", Text),
    Column("title", Text),
    Column("text", Text, nullable=False),
    Column("language", String(16), nullable=False),
    Column("rating", Float),
    Column("rating_given", String(64)),
    Column("experienced_at", Instant),
    Column("published_at", Instant, nullable=False),
    Column("published_at_known", Boolean, nullable=False),
    Column("updated_at", Instant),
    Column("collected_at", Instant, nullable=False),
    Column("stored_at", Instant, nullable=False),
    Column("reply", Text),
    Column("platform", String(32)),
    Column("translation", Text),
    # The text was longer than what is kept.
    Column("cut", Boolean, nullable=False, server_default=false()),
    # When its words must go, as the source's terms ask; its scores stay.
    Column("expires_at", Instant),
    Column("expired", Boolean, nullable=False, server_default=false()),
    # Why it never counts: unverified, unconfirmed, note, or copy (of `copy_of`).
    Column("apart", String(16)),
    # By what a mail written in the same way is known again; only where somebody must say whether it was read well.
    Column("layout", String(64)),
    Column("copy_of", String(64)),
    # Whether it speaks of this firm: {score, reasons}; null where nobody doubts it.
    Column("relevance", Json),
    # Which edition of the text this is: a later one replaces it, an earlier one does not.
    Column("edition_at", Instant, nullable=False),
    Column("content_hash", String(32), nullable=False),
    # The day of publication in the company's time zone.
    Column("day", Day, nullable=False),
    Column("label", String(8), nullable=False),
    Column("score", Float, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("mixed", Boolean, nullable=False),
    Column("themes", Json, nullable=False),
    Column("because", Json, nullable=False),
    # What the customer asks for: {request, quote}; and whether the words say the contrary of the stars.
    Column("wishes", Json, nullable=False, server_default="[]"),
    Column("contradicts", Boolean, nullable=False, server_default=false()),
    Column("analyser", String(64), nullable=False),
    # new, acknowledged, done, or aside (not about this company: it does not count)
    Column("status", String(16), nullable=False),
    # Who of the firm sees to it.
    Column("assigned_to", String(64)),
    # Whether it may alert or be mailed: the past may not.
    Column("silent", Boolean, nullable=False),
    Index(None, "company_id", "published_at", "id"),
    Index(None, "company_id", "stored_at"),
    Index(None, "copy_of"),
    Index(None, "layout"),
    Index(None, "expires_at"),
    Index(
        "ix_mention_excluded",
        *("company_id", "apart", "published_at", "id", "status"),
        postgresql_where=_EXCLUDED,
        sqlite_where=_EXCLUDED,
    ),
    Index("ix_mention_wishes", "company_id", "day", postgresql_where=_ASKING, sqlite_where=_ASKING),
)

# What a search looks in: derived from the mention, indexed by PostgreSQL's GIN or, by triggers, in SQLite's FTS5.
mention_search = Table(
    "mention_search",
    metadata,
    # Of our own making: VACUUM may renumber SQLite's, which the index refers to.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("mention_id", String(64), ForeignKey("mention.id", ondelete="CASCADE"), nullable=False),
    Column("words", Text, nullable=False),
    Index(None, "mention_id", unique=True),
)

judgement = Table(
    "judgement",
    metadata,
    Column("mention_id", String(64), primary_key=True),
    # label, status, or theme:<name>
    Column("aspect", String(64), primary_key=True),
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), nullable=False),
    Column("value", String(64), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "company_id"),
)


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
        Column("day", Day, primary_key=True),
        Column("source_id", String(64), primary_key=True),
        # A theme, or empty for all mentions of that day and source, each once.
        Column("theme", String(32), primary_key=True),
        Column("mentions", Integer, nullable=False),
        Column("negative", Integer, nullable=False),
        Column("neutral", Integer, nullable=False),
        Column("positive", Integer, nullable=False),
        Column("rated", Integer, nullable=False),
        # Whole numbers, so that sums never drift: hundredths of a star, their squares, thousandths of a score.
        Column("rating_sum", BigInteger, nullable=False),
        Column("rating_squares", BigInteger, nullable=False),
        Column("score_sum", BigInteger, nullable=False),
    )


rollup = _rollup("rollup")
# What a firm's rollups will change by when all its mentions have been read anew.
rollup_pending = _rollup("rollup_pending")

alert = Table(
    "alert",
    metadata,
    Column("id", String(64), primary_key=True),
    _company(),
    Column("rule", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("window", String(32), nullable=False),
    Column("facts", Json, nullable=False),
    Column("mention_ids", Json, nullable=False),
    Column("happened_at", Instant, nullable=False),
    Column("raised_at", Instant, nullable=False),
    # Somebody has seen it; it is over.
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", String(64)),
    Column("resolved_at", Instant),
    # Shown below the others until then.
    Column("snoozed_until", Instant),
    Index(None, "company_id", "happened_at", "id"),
)

report = Table(
    "report",
    metadata,
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
    Column("edition", String(16), primary_key=True),
    Column("period", String(16), primary_key=True),
    Column("recipient", String(320), primary_key=True),
    # What was sent, as facts: the page of an old week shows what its mail said.
    Column("snapshot", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

reported = Table(
    "reported",
    metadata,
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
    Column("edition", String(16), primary_key=True),
    Column("recipient", String(320), primary_key=True),
    Column("mention_id", String(64), primary_key=True),
    Column("period", String(16), nullable=False),
)

# What moves the work along

consumer_offset = Table(
    "consumer_offset",
    metadata,
    Column("group", String(64), primary_key=True),
    Column("topic", String(64), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("topic_id", String(64)),  # the topic's UUID: an offset says nothing about another topic of that name
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("topic", String(64), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("replayed_at", Instant),
)

# Totals since the installation began.
counter = Table(
    "counter",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    # The same for every attempt; of a delivery's event and address, so that none is enqueued twice.
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE")),
    Column("address", Text, nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("due_at", Instant, nullable=False),
    # Who claims it raises the number: a sender that comes back late is known by the old one.
    Column("claim", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    # waiting, sent or failed
    Column("state", String(16), nullable=False),
    Column("error", Text),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Index(None, "state", "kind", "due_at"),
    Index(None, "address", "created_at", "id"),
    Index(None, "settled_at"),
    Index(None, "company_id"),
)

# The mentions whose words a delivery carries, so that an erasure finds it without reading its body.
quotation = Table(
    "quotation",
    metadata,
    Column("delivery_id", String(64), primary_key=True),
    Column("mention_id", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
    Index(None, "mention_id"),
)

due = Table(
    "due",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("due_at", Instant, nullable=False),
    Column("claim", Integer, nullable=False, server_default="0"),
    # The earliest day that the job has to look at, where it has one.
    Column("since", Day),
    Index(None, "kind", "due_at"),
)

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("role", String(16), primary_key=True),
    Column("process", String(128), primary_key=True),
    Column("seen_at", Instant, nullable=False),
    Column("facts", Json, nullable=False),
)

# Who may look, and who is told

token = Table(
    "token",
    metadata,
    Column("hash", String(64), primary_key=True),
    # key (API), link (opens the pages once) or session
    Column("kind", String(16), nullable=False),
    # Whose link or session it is: what they may see is theirs, not the token's.
    Column("person_id", String(64)),
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE")),
    Column("role", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    # The parts of the API that a key opens; null for all.
    Column("scopes", Json(none_as_null=True)),
    Index(None, "company_id"),
    Index(None, "person_id"),
)

person = Table(
    "person",
    metadata,
    Column("id", String(64), primary_key=True),
    # In small letters.
    Column("email", String(320), nullable=False),
    Column("name", Text),
    Column("language", String(8), nullable=False),
    # Runs the whole installation.
    Column("admin", Boolean, nullable=False, server_default=false()),
    Column("created_at", Instant, nullable=False),
    Index(None, "email", unique=True),
)

# What a person may do for a firm: owner, adviser or team; for an adviser it is the mandate, with who gave it and when.
member = Table(
    "member",
    metadata,
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
    Column("person_id", String(64), ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("by", String(120), nullable=False),
    Column("since", Instant, nullable=False),
    Column("name", String(200)),  # as this company wrote it
    Index(None, "person_id"),
)

# The six digits that a person was sent last, and how often somebody tried within a day.
sign_in = Table(
    "sign_in",
    metadata,
    Column("person_id", String(64), ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
    Column("code_hash", String(64), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("asked_at", Instant, nullable=False),
)

# The six digits for one browser; `sign_in` counts the tries of all browsers together.
sign_in_code = Table(
    "sign_in_code",
    metadata,
    Column("browser_hash", String(64), primary_key=True),
    Column("person_id", String(64), ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
    Column("code_hash", String(64), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("asked_at", Instant, nullable=False),
)

# Who changed what, through the pages or the API; it outlives the firm.
audit = Table(
    "audit",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("company_id", String(64)),
    Column("at", Instant, nullable=False),
    Column("by", String(120), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Index(None, "company_id", "at"),
)

# What the firm did, and when: trends are compared before and after it.
marker = Table(
    "marker",
    metadata,
    Column("id", String(64), primary_key=True),
    _company(),
    Column("day", Day, nullable=False),
    Column("label", String(120), nullable=False),
    # The theme that it is about, or empty for all.
    Column("theme", String(32), nullable=False, server_default=""),
    Column("by", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "company_id"),
)

# A review that the firm contests: its dated copy as it stood, and the fingerprint of that copy.
dispute = Table(
    "dispute",
    metadata,
    Column("mention_id", String(64), primary_key=True),
    _company(),
    Column("reason", String(32), nullable=False),
    Column("copy", Json, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("by", String(120), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "company_id"),
)

saved_filter = Table(
    "saved_filter",
    metadata,
    Column("id", String(64), primary_key=True),
    _company(),
    Column("name", String(120), nullable=False),
    Column("query", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "company_id"),
)

# The steps of a guide that the firm has done.
ticked = Table(
    "ticked",
    metadata,
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
    Column("guide", String(32), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("by", String(120), nullable=False),
    Column("at", Instant, nullable=False),
)

# What deserves an alert: a firm's own rules, with conditions; and the switches of those that every firm has.
rule = Table(
    "rule",
    metadata,
    Column("id", String(64), primary_key=True),
    _company(),
    # A switch's own name, or `mention`.
    Column("kind", String(64), nullable=False),
    Column("name", String(120), nullable=False),
    Column("conditions", Json(none_as_null=True)),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("created_at", Instant, nullable=False),
    Index(None, "company_id"),
)

webhook = Table(
    "webhook",
    metadata,
    Column("id", String(64), primary_key=True),
    _company(),
    Column("url", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("events", Json, nullable=False),
    # Alerts of these rules only; null for all.
    Column("rules", Json),
    # Of `mention.analysed`: mentions that fulfil these conditions only; null for all.
    Column("mentions", Json(none_as_null=True)),
    # What is sent in the event's place, and with which headers, both encrypted: a recipe's, or the firm's own.
    Column("recipe", String(32)),
    Column("template", LargeBinary),
    Column("headers", LargeBinary),
    Column("paused", Boolean, nullable=False, server_default=false()),
    # When nothing new is sent, by the firm's own clock: "21:00-07:00"; null for never.
    Column("quiet_hours", String(11)),
    # After a rotation both secrets sign for a day.
    Column("former_secret", LargeBinary),
    Column("former_until", Instant),
    # An endpoint that fails rests; after days of it, or when it says that it is gone, it is off.
    Column("failing_since", Instant),
    Column("resting_until", Instant),
    Column("off", String(16)),
    Column("created_at", Instant, nullable=False),
    Index(None, "company_id"),
)

# What each attempt at a webhook delivery met.
attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", String(64), ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("answer", Text),
    Column("error", Text),
)

# Authors whose words must not come back; their names are kept as keyed hashes only.
forgotten = Table(
    "forgotten",
    metadata,
    Column("company_id", String(64), ForeignKey("company.id", ondelete="CASCADE"), primary_key=True),
    Column("author_hash", String(64), primary_key=True),
    # Of one source only; empty for all of them.
    Column("source_id", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
)

# What was answered to a request that carries an Idempotency-Key; without status while it is being worked on.
answered = Table(
    "answered",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Index(None, "at"),
)

# Mails and tests that a company had sent to an address of its choice, for a day. A company that is removed keeps its
# rows, so that nothing is won by it; the address is kept as a hash.
quota_use = Table(
    "quota_use",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("company_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("address_hash", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "company_id", "at"),
    Index(None, "address_hash"),
    Index(None, "at"),
)
