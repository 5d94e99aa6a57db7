"""Traces by OpenTelemetry, from a push over its analysis to what is delivered because of it.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set and the extra `vigie[traces]` is installed; while off nothing of
OpenTelemetry is imported. A span is passed on as `traceparent` (W3C Trace Context, 3.2): in events as the CloudEvents
extension "Distributed Tracing", in deliveries and requests as the header. Spans hold ids and types, never what somebody
wrote: not even an exception's message.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from vigie import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

logger = structlog.get_logger(__name__)

HEADER = "traceparent"
_FLUSH_MS = 2_000

_provider: "TracerProvider | None" = None
_tracer: "Tracer | None" = None
_parents: ContextVar[Mapping[str, str]] = ContextVar("parents", default=MappingProxyType({}))


def configure(role: str) -> None:
    """Send the spans of this process where OTEL_EXPORTER_OTLP_ENDPOINT says, as the service `vigie-ROLE`.

    OpenTelemetry's other variables hold: OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS …
    """
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("traces_off", why="OpenTelemetry is not installed: pip install 'vigie[traces]'")
        return
    name = os.environ.get("OTEL_SERVICE_NAME") or f"vigie-{role}"
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    start(provider)


def start(provider: "TracerProvider") -> None:
    """Make spans with `provider` from now on."""
    global _provider, _tracer
    _provider, _tracer = provider, provider.get_tracer("vigie", __version__)


def stop() -> None:
    """Make no more spans, and send those that wait."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.force_flush(_FLUSH_MS)
        provider.shutdown()


def is_on() -> bool:
    """Return whether spans are made."""
    return _tracer is not None


@contextmanager
def span(name: str, kind: str, parent: str | None = None, **attributes: str | None) -> Iterator[str | None]:
    """Run the block in a span below `parent` (a traceparent), or below the present one; give its own traceparent.

    `kind` is one of OpenTelemetry's: server, client, producer, consumer. Gives `parent` back while traces are off.
    """
    started = begin(name, kind, parent, **attributes)
    if started is None:
        yield parent
        return
    from opentelemetry.trace import Status, StatusCode, use_span

    with use_span(started, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield traceparent_of(started)
        except BaseException as error:
            started.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def begin(name: str, kind: str, parent: str | None = None, **attributes: str | None) -> "Span | None":
    """Return a span that the caller ends; None while traces are off."""
    if _tracer is None:
        return None
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({HEADER: parent}) if parent else None
    given = {key: value for key, value in attributes.items() if value is not None}
    return _tracer.start_span(name, context, kind=SpanKind[kind.upper()], attributes=given)


def traceparent_of(span: "Span | None") -> str | None:
    """Return how others name this span as their parent."""
    if span is None:
        return None
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def current() -> str | None:
    """Return the traceparent of the span that this code runs in, if it runs in one."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    present = get_current_span()
    return traceparent_of(present) if present.get_span_context().is_valid else None


@contextmanager
def following(parents: Mapping[str, str]) -> Iterator[None]:
    """Let what is enqueued in the block follow the spans of its mentions; `parents` are traceparents by mention id."""
    token = _parents.set(parents)
    try:
        yield
    finally:
        _parents.reset(token)


def headers_for(mention_ids: Collection[str]) -> dict[str, str]:
    """Return the header that lets a delivery follow the first of its mentions that is being traced; or none."""
    parents = _parents.get()
    traced = [parents[mention_id] for mention_id in sorted(mention_ids) if mention_id in parents]
    return {HEADER: traced[0]} if traced else {}


class EventSpans:
    """One span for each event of a batch, below the span that appended it; `parents` names them by mention id."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self.parents: dict[str, str] = {}

    def begin(self, parent: str | None, company_id: str, mention_ids: Collection[str]) -> None:
        """Begin the span of an event that carries these mentions."""
        started = begin("analyse mentions", "consumer", parent, company=company_id)
        if started is None:
            return
        started.set_attribute("messaging.batch.message_count", len(mention_ids))
        self._spans.append(started)
        self.parents |= dict.fromkeys(mention_ids, traceparent_of(started) or "")

    def end(self) -> None:
        """End the spans that run; mentions still follow them."""
        for started in self._spans:
            started.end()
        self._spans.clear()
