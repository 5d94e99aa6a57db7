"""What goes in and out, as OpenAPI shows it."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from vigie import clock

Label = Literal["negative", "neutral", "positive"]
Apart = Literal["aside", "unverified", "unconfirmed", "note", "copy"]


def _storable(value: Any) -> Any:
    if isinstance(value, str) and ("\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise ValueError("holds characters that cannot be stored")
    return value


Line = Annotated[str, BeforeValidator(_storable), Field(max_length=500)]
Text = Annotated[str, BeforeValidator(_storable), Field(max_length=20_000)]


class In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CompanyIn(In):
    name: Annotated[Line, Field(min_length=1)]
    city: Line | None = None
    siren: Annotated[str, Field(pattern=r"^\d{9}(\d{5})?$")] | None = None
    sector: Annotated[str, Field(max_length=16)] | None = None
    aliases: Annotated[list[Line], Field(max_length=50)] = []
    website: Line | None = None
    language: Literal["fr", "en"] = "fr"
    timezone: Line = "Europe/Paris"


class CompanyChange(CompanyIn):
    name: Annotated[Line, Field(min_length=1)] = ""
    pseudonyms: bool = False


class Company(BaseModel):
    id: str
    name: str
    city: str | None
    siren: str | None
    sector: str | None
    aliases: list[str]
    website: str | None
    pseudonyms: bool
    language: str
    timezone: str
    created_at: datetime


class LocationIn(In):
    name: Annotated[Line, Field(min_length=1)]
    city: Line | None = None


class LocationChange(In):
    name: Annotated[Line, Field(min_length=1)] | None = None
    city: Line | None = None


class Location(BaseModel):
    id: str
    name: str
    city: str | None


class SourceIn(In):
    kind: Line
    target: Annotated[str, BeforeValidator(_storable), Field(min_length=1, max_length=4_000)]
    name: Line | None = None
    options: dict[Line, Line] = {}
    location_id: Line | None = None


class SourceChange(In):
    target: Annotated[str, BeforeValidator(_storable), Field(min_length=1, max_length=4_000)] = ""
    name: Annotated[Line, Field(min_length=1)] = ""
    options: dict[Line, Line] = {}
    location_id: Line | None = None
    paused: bool = False


class Source(BaseModel):
    id: str
    kind: str
    name: str
    target: str
    location_id: str | None
    paused: bool
    error: str | None
    failing_since: datetime | None
    polled_at: datetime | None
    received_at: datetime | None
    next_poll_at: datetime | None
    findings: list[str] | None


class SourceName(BaseModel):
    id: str
    kind: str
    name: str


class Sentiment(BaseModel):
    label: Label
    score: float
    confidence: float


class Opinion(BaseModel):
    theme: str
    label: Label
    score: float
    quote: str


class Relevance(BaseModel):
    score: float
    reasons: list[str]


class Wish(BaseModel):
    request: str
    quote: str


class Mention(BaseModel):
    id: str
    company_id: str
    location_id: str | None
    source: SourceName
    url: str | None
    author: str | None
    title: str | None
    text: str
    language: str
    rating: float | None
    rating_given: str | None
    experienced_at: datetime | None
    published_at: datetime
    published_at_known: bool
    updated_at: datetime | None
    collected_at: datetime
    sentiment: Sentiment
    themes: list[Opinion]
    because: list[tuple[str, float]]
    wishes: list[Wish]
    contradicts: bool
    relevance: Relevance
    reply: str | None
    status: str
    assigned_to: str | None = None
    platform: str | None
    translation: str | None
    cut: bool
    apart: str | None
    copy_of: str | None


class Mentions(BaseModel):
    items: list[Mention]
    next_cursor: str | None


class MentionIn(In):
    """A review or mention that a program of the firm sends. One of text, title and rating is needed."""

    id: Line | None = Field(None, description="your own identifier: sending it again changes the mention")
    text: Text = ""
    title: Annotated[str, BeforeValidator(_storable), Field(max_length=2_000)] | None = None
    author: Line | None = None
    url: Annotated[str, BeforeValidator(_storable), Field(max_length=4_000)] | None = None
    language: Annotated[str, Field(max_length=16)] | None = None
    rating: float | str | None = Field(None, description='4, "8,5/10", "★★★☆☆"')
    best: Annotated[float, Field(gt=0, le=1_000)] = 5
    published_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    experienced_at: AwareDatetime | None = None
    reply: Text | None = None


class PushIn(In):
    source: Annotated[Line, Field(min_length=1)] = "API"
    mentions: Annotated[list[MentionIn], Field(min_length=1, max_length=500)]


class Pushed(BaseModel):
    ids: list[str]


class JudgementIn(In):
    aspect: Annotated[str, Field(max_length=64, examples=["status", "label", "theme:service"])]
    value: Annotated[str, Field(max_length=64)]


class Point(BaseModel):
    start: date
    mentions: int
    negative: int
    neutral: int
    positive: int
    rated: int
    rating: float | None
    score: float | None


class Score(BaseModel):
    mean: float | None
    reviews: int
    low: float | None
    high: float | None


class Difference(BaseModel):
    low: float
    high: float


class Comparison(BaseModel):
    verdict: Literal["better", "worse", "none", "unknown"]
    negative: int
    of: int
    negative_before: int
    of_before: int
    difference: Difference


class ChangePoint(Comparison):
    start: date


class FiveStars(BaseModel):
    target: float
    fewest: int
    most: int


class Platform(BaseModel):
    platform: str
    average: float
    count: int
    day: date
    needed: FiveStars | None


class Trends(BaseModel):
    by: Literal["day", "week", "month"]
    first: date
    last: date
    points: list[Point]
    score: Score
    changes: list[ChangePoint]


class Theme(BaseModel):
    theme: str
    mentions: int
    negative: int
    neutral: int
    positive: int


class Alert(BaseModel):
    id: str
    company_id: str
    rule: str
    window: str
    facts: dict[str, Any]
    mention_ids: list[str]
    happened_at: datetime
    raised_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None


class Alerts(BaseModel):
    items: list[Alert]
    next_cursor: str | None


Events = Annotated[
    list[Literal["alert.raised", "alert.resolved", "mention.analysed", "report.ready"]],
    Field(min_length=1, max_length=10),
]
_RULE = (
    r"^(negative_mention|unusual_volume|sentiment_drop|source_failing|unanswered|new_subject|rule:ru_[a-z0-9]{1,60})$"
)
Rules = Annotated[list[Annotated[str, Field(pattern=_RULE)]], Field(max_length=60)] | None


class ConditionsIn(In):
    location_id: Line | None = None
    source_id: Line | None = None
    theme: Literal[
        "product", "service", "price", "waiting", "cleanliness", "ambience", "location", "communication", "aftercare",
        "trust", "general",
    ] | None = None  # fmt: skip
    sentiment: Literal["negative", "neutral", "positive"] | None = None
    rating_at_most: Annotated[float, Field(ge=0, le=5)] | None = None
    keyword: Annotated[str, BeforeValidator(_storable), Field(max_length=300)] | None = Field(
        None, examples=['attente et (froid ou tiède) sauf "plat froid"']
    )


Url = Annotated[str, Field(max_length=2_000, pattern=r"^https?://")]
Headers = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=2_000)]]


QuietHours = Annotated[
    str | None,
    Field(
        pattern=clock.HOURS, examples=["21:00-07:00"],
        description="by the firm's own clock: what happens then is sent when they are over",
    ),
]  # fmt: skip


class WebhookIn(In):
    """Either a `url`, or a `recipe` with the `values` that it asks for."""

    url: Url | None = None
    events: Events = ["alert.raised"]
    rules: Rules = Field(None, description="alerts of these rules only; all if left out")
    mentions: ConditionsIn | None = Field(None, description="`mention.analysed` of these only; all if left out")
    quiet_hours: QuietHours = None
    recipe: Annotated[str, Field(max_length=32)] | None = Field(None, examples=["hubspot"])
    values: dict[Line, Text] = Field({}, description="what the recipe asks for: GET /recipes says what")
    template: dict[str, Any] | None = Field(
        None, description="sent in the event's place", examples=[{"text": "{firm}: {title}", "stars": "{rating}"}]
    )
    headers: Headers = Field({}, description="sent besides, such as an API key; never shown again")


class WebhookChange(In):
    url: Url | None = None
    events: Events | None = None
    rules: Rules = None
    mentions: ConditionsIn | None = None
    quiet_hours: QuietHours = None
    paused: bool | None = None


class Recipe(BaseModel):
    name: str
    title: str
    does: str
    documentation: str
    asks: dict[str, str]


class Webhook(BaseModel):
    id: str
    url: str
    events: list[str]
    rules: list[str] | None
    mentions: dict[str, Any] | None
    quiet_hours: str | None
    recipe: str | None
    paused: bool
    off: Literal["gone", "failing"] | None
    failing_since: datetime | None


class NewWebhook(Webhook):
    secret: str = Field(description="shown once; verifies signatures (standardwebhooks.com)")


class Secret(BaseModel):
    secret: str = Field(description="shown once; verifies signatures (standardwebhooks.com)")


class Started(BaseModel):
    delivery_id: str


class Replayed(BaseModel):
    count: int


class Attempt(BaseModel):
    number: int
    at: datetime
    took_ms: int
    status: int | None
    answer: str | None
    error: str | None


class Delivery(BaseModel):
    id: str
    event_id: str
    state: Literal["waiting", "sent", "failed"]
    error: str | None
    created_at: datetime
    settled_at: datetime | None
    due_at: datetime | None
    # Empty once the words were removed: thirty days after it was settled, or by an erasure.
    body: dict[str, Any] | None
    attempts: list[Attempt]


class Deliveries(BaseModel):
    items: list[Delivery]
    next_cursor: str | None


class RuleIn(In):
    """All conditions must hold; at least one is given."""

    name: Annotated[str, BeforeValidator(_storable), Field(min_length=1, max_length=120)]
    conditions: ConditionsIn


class RuleChange(In):
    name: Annotated[str, BeforeValidator(_storable), Field(min_length=1, max_length=120)] | None = None
    conditions: ConditionsIn | None = None
    enabled: bool | None = None


class Rule(BaseModel):
    id: str = Field(description="one of the four switches' names, or the id of one of the firm's own")
    kind: str
    name: str
    conditions: dict[str, Any] | None
    enabled: bool


class Example(BaseModel):
    id: str
    day: date
    rating: float | None
    text: str


class Preview(BaseModel):
    days: int
    alerts: int
    examples: list[Example]
