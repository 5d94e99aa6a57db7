"""What an owner is told of a failure is French in French: each message of the code has its translation."""

import ast
import re

import pytest

from dashboards import troubles
from tests.test_docs import ROOT

# Where messages that a page or a mail may show are made.
SHOWN = [
    *sorted((ROOT / "ingest").rglob("*.py")),
    *(ROOT / "vigie" / name for name in ("companies.py", "names.py", "people.py", "quotas.py")),
    ROOT / "dashboards" / "mandates.py",
    ROOT / "dashboards" / "mailer.py",
    ROOT / "dashboards" / "slow_work.py",
    ROOT / "api" / "cross_site.py",
    ROOT / "api" / "limits.py",
    *(ROOT / "analysis" / f"{name}.py" for name in ("disputes", "markers", "queries", "rule_store", "rules", "store")),
]
KINDS = {"SourceError", "InvalidInputError", "ValueError", "BadRow", "TooManyError", "UnreachableError"}
# Said to whoever runs commands.
COMMANDS = {"ingest/files/writing.py"}


def messages(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in KINDS:
            for one in node.args:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value
                elif isinstance(one, ast.JoinedStr):
                    yield "".join(part.value if isinstance(part, ast.Constant) else "Zz9" for part in one.values)


def shown():
    return [
        (path.relative_to(ROOT).as_posix(), said)
        for path in SHOWN
        if path.relative_to(ROOT).as_posix() not in COMMANDS
        for said in messages(path)
    ]


@pytest.mark.parametrize(("path", "said"), shown())
def test_each_message_is_told_in_french(path, said):
    assert troubles.told(said, "en") == said
    # "Zz9 (HTTP Zz9)" reads the same in both
    assert troubles.told(said, "fr") != said or not re.search("[a-z]{3}", said.replace("Zz9", ""))


def test_no_message_is_translated_that_nobody_says():
    source = " ".join(path.read_text(encoding="utf-8") for path in SHOWN)
    po = (ROOT / "dashboards" / "locales" / "fr" / "troubles.po").read_text(encoding="utf-8")
    for said in re.findall(r'^msgid "(.+)"$', po, re.M):
        for part in re.split(r"%\(\w+\)s", said.replace('\\"', '"')):
            assert part.strip() in source, said


def test_what_varies_may_be_a_message_itself():
    said = "it asks us to come less often (HTTP 429)"
    assert troubles.told(said, "fr") == "le site demande de venir moins souvent (HTTP 429)"
    assert troubles.told("'ftp://x' is not a web address: it starts with https://", "fr").startswith(
        "«\u00a0ftp://x\u00a0»"
    )
    assert troubles.told("something else", "fr") == "something else"
