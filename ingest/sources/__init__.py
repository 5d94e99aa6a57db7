"""The registry: one file a source, one line each."""

from ingest.source import Source
from ingest.sources.app_store import AppStore
from ingest.sources.avis_verifies import AvisVerifies
from ingest.sources.feed import Feed
from ingest.sources.file import File
from ingest.sources.form import Counter, Form
from ingest.sources.google_alerts import GoogleAlerts
from ingest.sources.google_business import GoogleBusiness
from ingest.sources.google_news import GoogleNews
from ingest.sources.mailbox import Mailbox
from ingest.sources.mastodon import Mastodon
from ingest.sources.page import Page
from ingest.sources.press import Press
from ingest.sources.push import Push
from ingest.sources.trustpilot import Trustpilot
from ingest.sources.webhook import Webhook
from ingest.sources.woocommerce import WooCommerce
from ingest.sources.wordpress import WordPress
from ingest.sources.youtube import YouTube

KINDS: dict[str, Source] = {
    "page": Page(),
    "mailbox": Mailbox(),
    "google_alerts": GoogleAlerts(),
    "google_news": GoogleNews(),
    "youtube": YouTube(),
    "mastodon": Mastodon(),
    "feed": Feed(),
    "press": Press(),
    "wordpress": WordPress(),
    "app_store": AppStore(),
    "google_business": GoogleBusiness(),
    "trustpilot": Trustpilot(),
    "avis_verifies": AvisVerifies(),
    "woocommerce": WooCommerce(),
    "form": Form(),
    "counter": Counter(),
    "file": File(),
    "push": Push(),
    "webhook": Webhook(),
}


def attribution(platform: str | None) -> str | None:
    """The name that must stand beside a text of that platform."""
    return next((one.terms.attribution for one in KINDS.values() if platform and one.platform == platform), None)
