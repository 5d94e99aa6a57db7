"""`python -m ingest.describe`: docs/sources.md, from the registry."""

from datetime import timedelta
from pathlib import Path

from ingest.mail.reader import layouts
from ingest.source import Source
from ingest.sources import KINDS

_HEAD = """# Where Vigie can listen

Made from the registry (`python -m ingest.describe`); a test compares. `vigie source add COMPANY KIND TARGET` adds one.
"Recorded" says what a connector was tested against: **invented** answers are ours, after public documentation or code,
and nobody has seen the connector work against the platform itself.
"""

# What each connector was tested against, where that is not a real server or material that nobody here wrote.
_INVENTED = {
    "mailbox", "google_news", "google_alerts", "youtube", "mastodon", "wordpress", "app_store", "google_business",
    "trustpilot", "avis_verifies", "woocommerce",
}  # fmt: skip


def page() -> str:
    """The whole page."""
    parts = [_HEAD, *(_section(kind, one) for kind, one in KINDS.items()), _mails()]
    return "\n".join(parts)


def _section(kind: str, one: Source) -> str:
    rows = [f"- Target: {one.target}"]
    rows += [f"- Option `{name}`: {meaning}" for name, meaning in one.options.items()]
    if one.polled:
        rows.append(f"- Asked every {_span(one.rhythm[0])} to {_span(one.rhythm[1])}, by its own rhythm")
    if one.guarded:
        rows.append("- It also speaks of others: only what is about the firm counts (`analysis/relevance.py`)")
    terms = one.terms
    kept = f"{terms.keep_days} days, scores for good" if terms.keep_days else "as long as you like"
    shown = "may be shown" if terms.display else "may not be shown"
    shown += f", with the name of {terms.attribution}" if terms.attribution else ""
    rows.append(f"- Terms: words kept {kept}; {shown}; {'may' if terms.benchmark else 'may not'} feed a benchmark")
    if kind in _INVENTED:
        rows.append("- Recorded: **invented**")
    return f"## {kind}\n\n{one.description[:1].upper()}{one.description[1:]}.\n\n" + "\n".join(rows) + "\n"


def _span(wait: timedelta) -> str:
    minutes = int(wait.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"


def _mails() -> str:
    rows = [f"| {one.platform} | {', '.join(one.domains)} | {one.scale} |" for one in layouts()]
    head = (
        "## Mails that are recognised\n\n"
        "Google's (in English) and Trustpilot's are read as public programs expect of the real mails; every other\n"
        "layout is **invented**: nobody here has seen the real mails. A platform's mail that speaks of reviews and is\n"
        "not understood is counted in `vigie_unreadable_items`, and `vigie import` names it. To have it read, send\n"
        "the project what `vigie mail anonymise FILE.eml` makes of it: no names, no addresses, no customer's words.\n"
    )
    return f"{head}\n| platform | sent from | scale |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path("docs/sources.md").write_text(page(), encoding="utf-8")
