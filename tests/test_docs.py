"""Documentation that the suite checks: files exist, settings are told, schemas describe what is sent."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from vigie import events
from vigie.events import AlertRaised, Mention, MentionsCollected, Origin
from vigie.settings import Settings

ROOT = Path(__file__).parent.parent


def test_the_files_that_the_architecture_names_exist():
    named = re.findall(
        r"`((?:vigie|ingest|analysis|api|dashboards)/[\w./]+\.\w+)`", (ROOT / "docs/architecture.md").read_text()
    )
    assert len(named) > 25
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_links_lead_somewhere():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_setting_is_documented():
    readme = (ROOT / "README.md").read_text()
    assert [name for name in Settings().described() if f"`{name}`" not in readme] == []


def test_every_command_of_the_readme_exists():
    import typer

    from vigie.cli import app

    root = typer.main.get_command(app)
    for line in re.findall(r"^vigie ([^#\n]+)", (ROOT / "README.md").read_text(), re.M):
        command = root
        for word in line.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, line
            command = command.commands[word]


def test_the_schemas_name_the_fields_that_are_sent():
    now = datetime.now(UTC)
    full = Mention(
        id="m", text="t", published_at=now, collected_at=now, published_at_known=False, url="u", author="a", contact="c", title="t",
        language="fr", rating=1.0, rating_given="1", experienced_at=now, updated_at=now, reply="r",
        platform="p", translation="t", cut=True, apart="note", layout="l", expires_at=now,
    )  # fmt: skip
    event = MentionsCollected(
        id="e", time=now, company_id="c", source=Origin("s", "k", "n", "l", True), mentions=(full,)
    )
    schema = json.loads((ROOT / "vigie/schemas/mentions.collected.2.json").read_text())
    sent = events.envelope(event)
    assert sent["dataschema"] == schema["$id"]
    assert set(sent["data"]) == set(schema["properties"])
    assert set(sent["data"]["source"]) == set(schema["properties"]["source"]["properties"])
    assert set(sent["data"]["mentions"][0]) == set(schema["properties"]["mentions"]["items"]["properties"])
    alert = json.loads((ROOT / "vigie/schemas/alert.raised.1.json").read_text())
    assert events.envelope(AlertRaised(id="a", time=now, company_id="c", shown={}))["dataschema"] == alert["$id"]


def test_the_page_of_sources_is_that_of_the_registry():
    from ingest.describe import page

    assert (ROOT / "docs/sources.md").read_text() == page(), "python -m ingest.describe"


def test_the_page_on_crms_names_every_recipe_and_every_name_of_a_template():
    from api.webhooks import recipes, templates

    said = (ROOT / "docs/crm.md").read_text()
    assert [name for name in recipes.shipped() if f"| `{name}` |" not in said] == []
    assert [name for name in templates.NAMES if f"{{{name}}}" not in said] == []
