"""Does a text speak of this firm, or of a namesake? Pure, and explainable: each sign that was seen is a reason.

For searches and the press only; a firm's own pages, mailbox, form and keys speak of it by definition. The name may be
met whole, as an alias, or by what is distinctive in it ("chez Mercier"); its town or département and the words of its
trade speak for it; another town, a first name before it, small letters ("un médium") speak against. What somebody
said of earlier texts counts too. The weights were set by hand; the relevance_cases of tests/analysis measure them.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import islice, pairwise
from typing import Any
from urllib.parse import urlsplit

from simplemma import is_known

from analysis.words import folded

THRESHOLD = 0.5
_NEAR = 300  # letters around a name in which its town and its trade are looked for
_LEGAL = frozenset("sarl sas sasu eurl sa sci ets etablissements ste societe ltd inc llc co".split())
_GENERIC = _LEGAL | frozenset(
    "maison chez atelier comptoir l la le les the un une au aux du de des d et and & of".split()
)
_LINKS = {"et", "and", "&"}
_ARTICLES = {"le": {"le", "au", "du"}, "les": {"les", "aux", "des"}}
_AT = set("a de d du des en of in at near to sur pres".split())
_TIMES = frozenset(
    """noel paques halloween toussaint janvier fevrier mars avril mai juin juillet aout septembre octobre novembre
    decembre lundi mardi mercredi jeudi vendredi samedi dimanche monday tuesday wednesday thursday friday saturday
    sunday january february march april may june july august september october november december
    christmas easter""".split()
)
_COMMON = _GENERIC | frozenset(
    """a on y il elle je tu nous vous ils ce cet cette ces mon ma mes notre nos votre vos son sa ses leur leurs qui que
    quoi dont ou en dans sur sous pour par avec sans mais donc or ni car si tout tous toute toutes bon bonne beau belle
    tres plus moins jamais toujours merci bravo bonjour avis nouveau nouvelle notre we i you he she they it this that
    at in on by to for from with but not no my our your best good bad great lovely new rude""".split()
)
_LINKING = frozenset("de du des d la l le les au aux of the".split())  # "Pharmacie du Marché" is never "Marché"
_MOST_MET = 50  # places where a text is looked at for each name
_HANDLE = 8  # letters that a name run together needs to be no other word
_TOKEN = re.compile(r"[^\W_]+|&")


@dataclass(frozen=True, slots=True)
class Relevance:
    """From 0 to 1, and the signs that made it, as `sign` or `sign:detail`."""

    score: float
    reasons: tuple[str, ...] = ()

    @property
    def is_about_us(self) -> bool:
        return self.score >= THRESHOLD


@dataclass(frozen=True, slots=True)
class Firm:
    """What is known of a firm."""

    name: str
    city: str | None = None
    siren: str | None = None
    sector: str | None = None
    website: str | None = None
    aliases: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Taught:
    """What people said of earlier texts: hosts and words met only where a text was not, or was, about the firm."""

    ours: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Token:
    word: str
    shown: str
    start: int
    gap: str  # what stands between it and the token before


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to call the firm: whole, as a handle ("@lepetitbouchon"), or by what is distinctive in it (partial)."""

    words: tuple[str, ...]
    strength: float
    is_partial: bool = False
    names_trade: bool = False
    is_handle: bool = False


@dataclass(frozen=True, slots=True)
class _Guard:
    """A firm made ready: its forms, towns, trade and the words that may stand beside its name."""

    forms: tuple[_Form, ...]
    home: frozenset[tuple[str, ...]]
    trade: frozenset[str]
    callings: frozenset[str]
    vocabulary: frozenset[str]
    host: str | None
    siren: str | None


@dataclass(slots=True)
class _Weighing:
    score: float
    reasons: list[str] = field(default_factory=list)

    def add(self, weight: float, reason: str) -> None:
        self.score += weight
        self.reasons.append(reason)


def relevance(
    firm: Firm, text: str, *, title: str | None = None, url: str | None = None, taught: Taught = Taught()
) -> Relevance:
    """How surely `text` speaks of `firm`."""
    guard = _guard(firm.name, firm.city, firm.siren, firm.sector, firm.website, tuple(firm.aliases))
    whole = f"{title or ''}\n{text}"
    if guard.host and (_host(url) == guard.host or guard.host in whole.lower()):
        return Relevance(1.0, (f"website:{guard.host}",))
    if guard.siren and guard.siren in re.sub(r"(?<=\d)[ .\u00a0\u202f](?=\d)", "", whole):
        return Relevance(1.0, (f"siren:{guard.siren}",))
    tokens = _tokens(whole)
    best = max(
        (_weigh(guard, form, tokens, at) for form, at in _longest(guard.forms, tokens)),
        key=lambda weighing: weighing.score,
        default=_Weighing(0.0, ["name_absent"]),
    )
    _teach(best, taught, whole, url)
    return Relevance(round(min(1.0, max(0.0, best.score)), 2), tuple(best.reasons))


def learn(verdicts: Iterable[tuple[bool, str, str | None]], firm: Firm) -> Taught:
    """What `verdicts` (about us?, text, url) teach: a sign counts if it was met on one side only."""
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    for is_ours, text, url in verdicts:
        seen[is_ours] |= _signs(text, url)
    own = {token.word for name in (firm.name, firm.city or "", *firm.aliases) for token in _tokens(name)}
    return Taught(frozenset(seen[True] - seen[False] - own), frozenset(seen[False] - seen[True] - own))


def _weigh(guard: _Guard, form: _Form, tokens: list[_Token], at: int) -> _Weighing:
    """The signs around one place where the firm may be named."""
    first, last = tokens[at], tokens[at + len(form.words) - 1]
    near = [token for token in tokens if first.start - _NEAR < token.start < last.start + _NEAR]
    weighing = _Weighing(form.strength, [f"{'part_of_name' if form.is_partial else 'name'}:{' '.join(form.words)}"])
    within = set(form.words)
    is_home = _names_any(near, guard.home)
    trade = sorted({token.word for token in near if _singular(token.word) in guard.trade} - within)
    if is_home:
        weighing.add(0.25, "town")
    if trade:
        weighing.add(0.25, f"trade:{trade[0]}")
    if form.is_partial and at and _singular(tokens[at - 1].word) in guard.callings and _joins(first.gap):
        weighing.add(0.25, f"called:{tokens[at - 1].word}")
    if _is_hardly_chance(form, tokens, at):
        weighing.add(0.15, "whole_name")
    if not _is_written_as_name(guard, form, tokens, at) and not (_is_casual(tokens) and (is_home or form.names_trade)):
        weighing.add(-0.4 if form.names_trade else -0.5, "common_word")
    for reason in _other_name(guard, form, tokens, at):
        weighing.add(-0.15 if form.names_trade else -0.4, reason)
    if not is_home and (elsewhere := _elsewhere(guard, tokens, at + len(form.words), near)):
        weighing.add(-0.5, f"elsewhere:{elsewhere}")
    return weighing


def _longest(forms: Iterable[_Form], tokens: list[_Token]) -> Iterator[tuple[_Form, int]]:
    """Each place where the firm may be named, under the longest name that it bears there."""
    met = [(form, at) for form in forms for at in islice(_met(form, tokens), _MOST_MET)]
    for form, at in met:
        end = at + len(form.words)
        longer = (other for other in met if len(other[0].words) > len(form.words))
        if not any(start <= at and end <= start + len(other.words) for other, start in longer):
            yield form, at


def _met(form: _Form, tokens: list[_Token]) -> Iterator[int]:
    """Where `form` stands in the text, its words next to one another."""
    first = _ARTICLES.get(form.words[0], {form.words[0]}) if len(form.words) > 1 else {form.words[0]}
    for at, token in enumerate(tokens[: len(tokens) - len(form.words) + 1]):
        if token.word not in first:
            continue
        rest = tokens[at + 1 : at + len(form.words)]
        if all(one.word == word and _joins(one.gap) for one, word in zip(rest, form.words[1:], strict=True)):
            yield at


def _joins(gap: str) -> bool:
    return not gap.strip(" \u00a0\u202f-'’&/")


def _is_written_as_name(guard: _Guard, form: _Form, tokens: list[_Token], at: int) -> bool:
    """Whether its distinctive words have a capital, as a name has ("un médium" has none)."""
    matched = tokens[at : at + len(form.words)]
    telling = [token for token in matched if not _describes(token.word, guard.trade)]
    return form.is_handle or all(not token.shown[0].islower() for token in telling or matched[-1:])


def _is_hardly_chance(form: _Form, tokens: list[_Token], at: int) -> bool:
    """Two words or more, each with its capital, of which one is in no dictionary: "Kerlouan Nautisme"."""
    proper = [token.shown for token in tokens[at : at + len(form.words)] if token.word not in _GENERIC]
    is_name = len(proper) > 1 and all(word[0].isupper() for word in proper)
    return is_name and not form.names_trade and not all(is_known(word.lower(), lang=("fr", "en")) for word in proper)


def _is_casual(tokens: list[_Token]) -> bool:
    """Whether the writer uses capitals for nothing but the beginning of a sentence."""
    return not any(token.shown[0].isupper() and token.gap and not _ends_sentence(token.gap) for token in tokens[1:])


def _ends_sentence(gap: str) -> bool:
    """Whether the characters between two words end a sentence or open a quotation."""
    visible = gap.rstrip()
    return "\n" in gap[len(visible) :] or visible[-1:] in set('.!?…:«"')


def _other_name(guard: _Guard, form: _Form, tokens: list[_Token], at: int) -> Iterator[str]:
    """The name is part of another one: "Tina Turner", "Saint-Martin", "Patrick Bruel", "Java 25"."""
    before = tokens[at - 1] if at and tokens[at].word not in _COMMON else None
    if before and not tokens[at].gap.strip(" -\u00a0") and _is_foreign(guard, before):
        yield f"other_name:{before.shown} {tokens[at].shown}"
        return
    after = tokens[at + len(form.words)] if at + len(form.words) < len(tokens) else None
    if after and not after.gap.strip(" -\u00a0") and (_is_foreign(guard, after) or after.shown[0].isdigit()):
        yield f"other_name:{tokens[at].shown} {after.shown}"


def _is_foreign(guard: _Guard, token: _Token) -> bool:
    return (
        (token.shown[0].isupper() or (token.word == "saint" and token.shown[0].islower()))
        and token.word not in guard.vocabulary
        and token.word not in _COMMON
        and _singular(token.word) not in guard.trade
    )


def _elsewhere(guard: _Guard, tokens: list[_Token], after: int, near: list[_Token]) -> str | None:
    """Another town: right after the name ("de Tournai"), or any known one beside it."""
    rest = tokens[after : after + 3]
    for preposition, place in pairwise(rest):
        if preposition.word in _AT and _joins(preposition.gap) and _joins(place.gap) and place.shown[0].isupper():
            if place.word not in _TIMES | _COMMON | guard.vocabulary:
                return place.shown
            break
    if county := _county_at(tokens[after : after + 5]):
        return county
    words = [token.word for token in near]
    for start, token in enumerate(near):
        if not token.shown[0].isupper():
            continue
        for length in (3, 2, 1):
            town = tuple(words[start : start + length])
            if town in _towns() and town not in guard.home and not set(town) <= guard.vocabulary:
                return " ".join(one.shown for one in near[start : start + length])
    return None


def _county_at(tokens: list[_Token]) -> str | None:
    """The département that is named here: "Ferme des Quatre Vents, Morbihan"."""
    words = tuple(token.word for token in tokens)
    if not tokens or not tokens[0].shown[0].isupper():
        return None
    return next((county for size in range(len(words), 0, -1) if (county := _county_names().get(words[:size]))), None)


def _names_any(tokens: list[_Token], places: frozenset[tuple[str, ...]]) -> bool:
    words = [token.word for token in tokens]
    return any(
        _is_lower_town(words, place)
        or any(
            words[at : at + len(place)] == list(place) and not token.shown[0].islower()
            for at, token in enumerate(tokens)
        )
        for place in places
    )


def _is_lower_town(words: list[str], place: tuple[str, ...]) -> bool:
    """A town in small letters, as some write, after a preposition: "a lens"."""
    return any(
        words[at + 1 : at + 1 + len(place)] == list(place) and words[at] in {"a", "in", "sur"}
        for at in range(len(words) - len(place))
    )


def _teach(weighing: _Weighing, taught: Taught, text: str, url: str | None) -> None:
    signs = _signs(text, url)
    if known := sorted(signs & taught.others):
        weighing.add(-min(0.5, 0.2 * len(known)), f"set_aside_before:{known[0]}")
    if known := sorted(signs & taught.ours):
        weighing.add(min(0.4, 0.15 * len(known)), f"confirmed_before:{known[0]}")


def _signs(text: str, url: str | None) -> set[str]:
    """Longer words, and the host: what a verdict on one text says of the next."""
    host = _host(url)
    return {token.word for token in _tokens(text) if len(token.word) > 4} | ({host} if host else set())


def _tokens(text: str) -> list[_Token]:
    found, end = [], 0
    for match in _TOKEN.finditer(text):
        word = folded(match[0])
        if word not in _LINKS:  # "Simon & Robert" is "Simon et Robert"
            found.append(_Token("saint" if word == "st" else word, match[0], match.start(), text[end : match.start()]))
        end = match.end()
    return found


@lru_cache(maxsize=256)
def _guard(
    name: str, city: str | None, siren: str | None, sector: str | None, website: str | None, aliases: tuple[str, ...]
) -> _Guard:
    trade, callings = _words_of(_code(sector) or _code_said(name))
    forms: dict[tuple[str, ...], _Form] = {}
    for one in (name, *aliases):
        for form in _forms(one, trade, is_alias=one is not name):
            known = forms.get(form.words)
            if known is None or known.strength < form.strength:
                forms[form.words] = form
    home = _home(city)
    words = {word for form in forms.values() for word in form.words} | {word for place in home for word in place}
    host = _host(website if website is None or "//" in website else f"https://{website}")
    number = re.sub(r"\D", "", siren)[:9] if siren else None
    return _Guard(tuple(forms.values()), home, trade, callings, frozenset(words), host, number)


def _forms(name: str, trade: frozenset[str], *, is_alias: bool) -> Iterator[_Form]:
    words = tuple(token.word for token in _tokens(name))
    if not words:
        return
    core = tuple(word for word in words if not _describes(word, trade) and not word.isdigit())
    is_place = core in _towns()
    whole = _whole(words, is_known=not is_place, is_alias=is_alias)
    yield whole
    if len("".join(words)) >= _HANDLE and len(words) > 1:
        yield _Form(("".join(words),), whole.strength, names_trade=whole.names_trade, is_handle=True)
    start = next((at for at, word in enumerate(words) if not _is_calling(word)), len(words))
    rest = words[start:]
    if sum(word not in _GENERIC for word in rest) > 1:
        yield _whole(rest, is_known=not is_place, is_alias=False)
    if start > 1 and core:  # "Clinique vétérinaire des Tilleuls" is called "la clinique des Tilleuls" as well
        for calling in words[:start]:
            yield _whole((calling, *rest), is_known=not is_place, is_alias=False)
    if core and core != words and not is_alias and not (start and rest[0] in _LINKING):
        yield _Form(core, -0.2 if is_place else 0.2, is_partial=True)


def _whole(words: tuple[str, ...], *, is_known: bool, is_alias: bool) -> _Form:
    """A full name; a strong one says its trade, has a legal form, or was given as an alias of two telling words."""
    names_trade = len(words) > 1 and any(map(_is_calling, words))
    telling = sum(word not in _GENERIC for word in words)
    is_strong = is_known and (names_trade or words[0] in _LEGAL or (is_alias and telling > 1))
    strength = 0.7 if is_strong else 0.35 if len(words) > 1 else 0.2
    return _Form(words, strength, is_partial=len(words) == 1, names_trade=names_trade and is_strong)


def _describes(word: str, trade: frozenset[str]) -> bool:
    """Whether a name's word tells no firm from another: a small one, or a word of its trade."""
    return word in _GENERIC or _singular(word) in trade or _is_calling(word)


def _is_calling(word: str) -> bool:
    return _singular(word) in _callings()


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word


def _code(sector: str | None) -> str | None:
    """The longest known activity code that the firm's own begins with."""
    return max((code for code in _trades() if sector and sector.startswith(code)), key=len, default=None)


def _code_said(name: str) -> str | None:
    """The activity that a firm's name says ("Boulangerie Mercier"), for one whose code nobody gave."""
    words = {_singular(token.word) for token in _tokens(name)}
    return next((code for code, (_, callings) in _trades().items() if words & callings), None)


def _words_of(code: str | None) -> tuple[frozenset[str], frozenset[str]]:
    """The words of a trade, and those among them by which a firm of it is called."""
    return _trades()[code] if code else (frozenset(), frozenset())


@lru_cache(maxsize=1)
def _trades() -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    trades = {}
    for code, words in _table("trades.toml").items():
        callings, _, others = words.partition("|")
        trades[code] = (_parts(callings + others), _parts(callings))
    return trades


@lru_cache(maxsize=1)
def _callings() -> frozenset[str]:
    return frozenset(word for _, callings in _trades().values() for word in callings)


def _parts(words: str) -> frozenset[str]:
    """Hyphenated words by their parts, as a text's words are."""
    return frozenset(_singular(part) for word in words.split() for part in word.split("-") if len(part) > 2)


def _home(city: str | None) -> frozenset[tuple[str, ...]]:
    """The firm's town and the département that holds it."""
    if not city:
        return frozenset()
    town = _place(city)
    counties = {_place(county) for county, towns in _counties().items() if town in towns and county not in _NOWHERE}
    return frozenset({town} | counties)


_NOWHERE = {"abroad", "countries"}


@lru_cache(maxsize=1)
def _towns() -> frozenset[tuple[str, ...]]:
    return frozenset(town for towns in _counties().values() for town in towns)


@lru_cache(maxsize=1)
def _counties() -> Mapping[str, frozenset[tuple[str, ...]]]:
    return {
        county: frozenset(_place(town) for town in towns.replace("\n", " ").split(","))
        for county, towns in _table("places.toml").items()
    }


@lru_cache(maxsize=1)
def _county_names() -> Mapping[tuple[str, ...], str]:
    return {_place(county): county for county in _counties() if county not in _NOWHERE}


def _place(name: str) -> tuple[str, ...]:
    return tuple(token.word for token in _tokens(name))


@lru_cache(maxsize=8)
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(files("analysis").joinpath("knowledge", name).read_text(encoding="utf-8"))


def _host(url: str | None) -> str | None:
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None
