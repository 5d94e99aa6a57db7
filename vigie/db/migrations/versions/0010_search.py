"""What a search looks in: one word list a mention, indexed by each database in its own way."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# An index over what the table holds, kept in step by triggers: https://www.sqlite.org/fts5.html, section 4.4.3.
_ON_SQLITE = (
    """CREATE VIRTUAL TABLE mention_search_index USING fts5(
        words, content='mention_search', content_rowid='number', tokenize='ascii', detail='none', columnsize=0)""",
    """CREATE TRIGGER mention_search_added AFTER INSERT ON mention_search BEGIN
        INSERT INTO mention_search_index (rowid, words) VALUES (new.number, new.words);
    END""",
    """CREATE TRIGGER mention_search_removed AFTER DELETE ON mention_search BEGIN
        INSERT INTO mention_search_index (mention_search_index, rowid, words)
        VALUES ('delete', old.number, old.words);
    END""",
    """CREATE TRIGGER mention_search_changed AFTER UPDATE ON mention_search BEGIN
        INSERT INTO mention_search_index (mention_search_index, rowid, words)
        VALUES ('delete', old.number, old.words);
        INSERT INTO mention_search_index (rowid, words) VALUES (new.number, new.words);
    END""",
)
_ON_POSTGRESQL = (
    "CREATE INDEX ix_mention_search_words ON mention_search USING gin (to_tsvector('simple'::regconfig, words))",
)


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "mention_search",
        sa.Column("number", number, autoincrement=False, nullable=False),
        sa.Column("mention_id", sa.String(64), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mention_id"], ["mention.id"], name=op.f("fk_mention_search_mention_id_mention"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_mention_search")),
    )
    op.create_index(op.f("ix_mention_search_mention_id"), "mention_search", ["mention_id"], unique=True)
    for statement in _ON_SQLITE if op.get_bind().dialect.name == "sqlite" else _ON_POSTGRESQL:
        op.execute(statement)
    op.execute("INSERT INTO due (kind, key, due_at, claim) VALUES ('search', 'mentions', 0, 0)")
