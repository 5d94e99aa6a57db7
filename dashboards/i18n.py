"""French and English: texts from gettext catalogues, numbers and dates as each language writes them."""

import gettext
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dashboards import troubles
from ingest.sources import attribution
from vigie import clock

LANGUAGES = ("fr", "en")
_MOST_MARKED = 4


@lru_cache(maxsize=4)
def translations(language: str) -> gettext.NullTranslations:
    """The catalogue of `language`; the source texts are English."""
    if language == "en":
        return gettext.NullTranslations()
    po = files("dashboards").joinpath("locales", language, "vigie.po").read_text(encoding="utf-8")
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.StringIO(po)))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache(maxsize=4)
def environment(language: str) -> Environment:
    """Templates that speak `language`; everything is escaped, and a missing value is an error."""
    env = Environment(  # plain text is not escaped, all else is
        loader=PackageLoader("dashboards"),
        autoescape=lambda name: name is None or not name.endswith(".txt"),  # noqa: S701 # text is not markup
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    catalogue = translations(language)
    env.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined] # from the extension
    env.filters |= {
        "number": lambda value: number(value, language),
        "note": lambda value: note(value, language),
        "day": lambda value, timezone=None: day(value, language, timezone),
        "when": lambda value: when(value, language),
        "shortday": lambda value, timezone=None: short_day(value, language, timezone),
        "stars": stars,
        "theme": lambda value: theme(value, language),
        "habit": lambda value: _named(value, language, _HABITS),
        "request": lambda value: _named(value, language, _REQUESTS),
        "apart": lambda value: _named(value, language, _APART),
        "finding": lambda value: finding(value, language),
        "reason": lambda value: reason(value, language),
        "moment": lambda value, timezone: moment(value, language, timezone),
        "rule": lambda value: rule(value, language),
        "trade": lambda value: _named(value, language, _TRADES),
        "fault": lambda value: _named(value, language, _FAULTS),
        "ground": lambda value: _named(value, language, _GROUNDS),
        "notice": lambda value: _named(value, language, _NOTICES),
        "longday": lambda value, timezone=None: long_day(value, language, timezone),
        "month": lambda value: str(format_date(_date(value), "MMM yyyy", locale=language)),
        "pair": lambda row: (row["id"], row["name"]),
        "marked": marked,
        "discreet": discreet,
        "unnamed": unnamed,
        "credit": lambda platform: attribution(platform) or "",
        "trouble": lambda value: troubles.told(str(value), language),
        "flat": lambda value: " ".join(str(value).split()),
    }
    env.globals["language"] = language
    env.globals["named_themes"] = lambda names: [(name, theme(name, language)) for name in names]
    env.globals["named_apart"] = lambda counts: [
        (name, f"{_named(name, language, _APART)} ({count})") for name, count in counts.items()
    ]
    return env


def render(template: str, language: str, **values: Any) -> str:
    """A template in `language`."""
    return environment(language).get_template(template).render(**values)


def alert_words(alert: Mapping[str, Any], language: str) -> tuple[str, str]:
    """An alert's title and its sentence, in plain text."""
    words = environment(language).get_template("mail/alert.txt").module
    return str(words.title(alert)).strip(), str(words.sentence(alert)).strip()  # type: ignore[attr-defined]


def event(name: str, language: str) -> str:
    """The title of an event that is no new alert."""
    return _named(name, language, _EVENTS)


def when(span: str, language: str) -> str:
    """When the period of a mail was."""
    return _named(span, language, _SPANS)


def number(value: float, language: str, digits: int = 1) -> str:
    """`4,3` in French, `4.3` in English; no needless zero."""
    return str(format_decimal(round(value, digits), locale=language))


def note(value: float, language: str) -> str:
    """A rating: `4,0` in French, `4.0` in English."""
    return str(format_decimal(value, format="0.0", locale=language))


def day(value: date | str, language: str, timezone: str | None = None) -> str:
    """`lundi 23 novembre`, `Monday 23 November`."""
    return str(format_date(_date(value, timezone), "EEEE d MMMM", locale=language))


def short_day(value: date | str, language: str, timezone: str | None = None) -> str:
    """`23 nov.`, `23 Nov`."""
    return str(format_date(_date(value, timezone), "d MMM", locale=language))


def long_day(value: date | str, language: str, timezone: str | None = None) -> str:
    """`23 novembre 2026`."""
    return str(format_date(_date(value, timezone), "d MMMM yyyy", locale=language))


def marked(mention: Mapping[str, Any], staff: Sequence[str] = (), shown: bool = True) -> Markup:
    """A text in which the words that weighed most stand out; all of it escaped. In a complaint names are discreet."""
    weighed = sorted(mention["because"], key=lambda pair: -abs(pair[1]))[:_MOST_MARKED]
    words = [word for word, _ in weighed if word.strip()]
    return _dressed(mention["text"], words, staff if mention["label"] == "negative" else (), shown)


def discreet(text: str, staff: Sequence[str], shown: bool) -> Markup:
    """A complaint without first names of the team; where they may be `shown`, print alone hides them."""
    return _dressed(text, (), staff, shown)


def unnamed(text: str, staff: Sequence[str]) -> str:
    """Plain text without first names of the team."""
    return str(discreet(text, staff, shown=False).unescape())


def _dressed(text: str, words: Sequence[str], staff: Sequence[str], shown: bool) -> Markup:
    names = {"".join(map(_base, name)) for name in staff}
    wanted = sorted({*words, *names}, key=len, reverse=True)
    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, wanted))})(?!\w)" if wanted else "(?!)"
    whole, at = Markup(""), 0
    for found in re.finditer(pattern, "".join(map(_base, text))):
        said = text[found.start() : found.end()]
        whole += Markup.escape(text[at : found.start()])
        if found[0] not in names:
            whole += Markup("<mark>{}</mark>").format(said)
        else:
            whole += Markup('<span class="staff">{}</span>').format(said) if shown else "[…]"
        at = found.end()
    return whole + Markup.escape(text[at:])


def _base(letter: str) -> str:
    """A letter without its accent, small; one letter for one, so that positions hold."""
    return unicodedata.normalize("NFD", letter)[0].lower()[:1]


def stars(rating: float) -> Markup:
    """★★★☆☆, to the nearest star."""
    full = max(0, min(5, int(rating + 0.5)))
    return Markup("★" * full + "☆" * (5 - full))  # noqa: S704 # stars only


def theme(name: str, language: str) -> str:
    """A theme's name for people."""
    return _named(name, language, _THEMES)


def finding(name: str, language: str) -> str:
    """What the firm's own page lacks, in words."""
    return _named(name, language, _FINDINGS)


def reason(sign: str, language: str) -> str:
    """A sign for or against a mention's being about the firm, in words: `town`, `elsewhere:lyon`."""
    name, _, detail = sign.partition(":")
    return _named(name, language, _REASONS) + (f" « {detail} »" if detail else "")


def moment(value: datetime, language: str, timezone: str) -> str:
    """`23 nov. 14:05`, as the firm's clocks show it."""
    local = value.astimezone(clock.zone(timezone))
    return f"{short_day(local.date(), language)} {local:%H:%M}"


def rule(name: str, language: str) -> str:
    """A rule's name for people."""
    return _named(name, language, _RULES)


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


_THEMES = {
    "product": _("products"),
    "service": _("welcome"),
    "price": _("prices"),
    "waiting": _("waiting and hours"),
    "cleanliness": _("cleanliness"),
    "ambience": _("place and ambience"),
    "location": _("access"),
    "communication": _("information and telephone"),
    "aftercare": _("after-sales"),
    "trust": _("trust"),
    "general": _("in general"),
}
# One habit for each subject that customers complain of, for the team's edition.
_HABITS = {
    "product": _("Before it goes out, look at it once as the customer will."),
    "service": _("Look up and say hello within ten seconds, even when your hands are full."),
    "price": _("Say the price before, and what is in it."),
    "waiting": _("When somebody waits, say how long it will be, and come back to them once."),
    "cleanliness": _("Each hour, one look at the door, the tables, the toilets."),
    "ambience": _("Once during the rush, stand where the customer is: too loud, too hot, too dark?"),
    "location": _("When somebody books or calls, say where to park."),
    "communication": _("Whoever does not pick up calls back the same day."),
    "aftercare": _("When something goes wrong, first say sorry, then say what happens next, and when."),
    "trust": _("What was said is what is done; if it changes, say so first."),
}
_REQUESTS = {
    "booking": _("booking online"),
    "card_payment": _("paying by card"),
    "opening_hours": _("opening hours: longer, or kept right"),
    "click_and_collect": _("ordering online, collecting, delivery"),
    "telephone": _("somebody who answers"),
    "other": _("other wishes"),
}
_RULES = {
    "negative_mention": _("Unhappy customer"),
    "unusual_volume": _("More mentions than usual"),
    "sentiment_drop": _("More complaints than usual"),
    "source_failing": _("A source has fallen silent"),
    "unanswered": _("Two days without an answer"),
    "new_subject": _("A new subject"),
}


_TRADES = {
    "restaurant": _("A restaurant"),
    "hotel": _("A hotel"),
    "garage": _("A garage"),
    "hairdresser": _("A hairdresser"),
    "shop": _("A shop"),
    "craftsman": _("A craftsman"),
    "medical": _("A practice"),
    "online_shop": _("An online shop"),
}
_FAULTS = {
    "promise": _("It promises something: what if it cannot be kept?"),
    "incentive": _("It offers something, or asks for a change of the review: the platforms forbid it."),
    "customer": _("It says that the author is a customer: that is theirs to tell."),
    "personal": _("It holds personal data: a name, an address, a number."),
    "blame": _("It accuses or threatens: those who read will side with the author."),
    "health": _("It speaks of somebody's health: that is secret."),
}
_GROUNDS = {
    "off_topic": _("Off topic"),
    "conflict_of_interest": _("Conflict of interest"),
    "insult": _("Insult or defamation"),
    "never_a_customer": _("Never a customer"),
    "personal_data": _("Personal data"),
    "extortion": _("Blackmail"),
}
_NOTICES = {
    "off_topic": _(
        "This review does not speak of our firm or of what it does. We ask you to look at it under your "
        "rule on content that is off topic."
    ),
    "conflict_of_interest": _(
        "We have reason to believe that the author has an interest in this review: a competitor, or a "
        "former employee. We ask you to look at it under your rule on conflicts of interest."
    ),
    "insult": _(
        "This review holds insulting or defamatory words about people who can be recognised. We ask you "
        "to remove it as manifestly unlawful content, and keep a dated copy."
    ),
    "never_a_customer": _(
        "We find no trace of what this review describes. We ask you to check with its author that the "
        "experience took place, under your rule on fake engagement."
    ),
    "personal_data": _(
        "This review gives personal data of somebody who did not agree to it. We ask you to remove them."
    ),
    "extortion": _(
        "The author asks for an advantage in return for removing this review. We ask you to look at it "
        "under your rule on harassment, and keep a copy of the demand."
    ),
}
_APART = {
    "aside": _("not about you"),
    "unverified": _("sender not verified"),
    "unconfirmed": _("waiting for your word"),
    "note": _("notes of the team"),
    "copy": _("heard twice"),
}
_REASONS = {
    "name": _("names you:"),
    "part_of_name": _("names you in part:"),
    "name_absent": _("does not name you"),
    "siren": _("has your company number"),
    "domain": _("links to your site"),
    "town": _("names your town"),
    "trade": _("speaks of your trade:"),
    "common_word": _("your name, but as an everyday word"),
    "other_name": _("a longer name, of somebody else:"),
    "elsewhere": _("is about another place:"),
    "set_aside_before": _("like what you set aside:"),
    "confirmed_before": _("like what you kept:"),
}
_FINDINGS = {
    "noindex": _("Your site asks search engines not to show it (noindex)."),
    "no_https": _("Your site has no https: browsers call it not secure."),
    "no_phone_layout": _("Your site is not laid out for telephones."),
    "no_telephone": _("No telephone number that a tap would call."),
    "no_opening_hours": _("No opening hours that can be read."),
    "no_address": _("No address that a search engine could read."),
    "no_business_data": _("No data that tell search engines what your firm is (LocalBusiness)."),
}

# What a webhook is told of, besides alerts.
_EVENTS = {
    "mention.analysed": _("A new mention"),
    "report.ready": _("The week's mail is ready"),
    "alert.resolved": _("Over: %(alert)s"),
}

# What a mail tells of, by the span of its period.
_SPANS = {"day": _("yesterday"), "week": _("this week"), "month": _("last month")}


def _named(name: str, language: str, names: dict[str, str]) -> str:
    return translations(language).gettext(names[name]) if name in names else name


def _date(value: date | str, timezone: str | None = None) -> date:
    """A moment has no day before somebody says where."""
    if isinstance(value, str):
        return date.fromisoformat(value)
    if not isinstance(value, datetime):
        return value
    if timezone is None:
        raise TypeError(f"the day of {value} depends on the time zone")
    return clock.local_day(value, timezone)
