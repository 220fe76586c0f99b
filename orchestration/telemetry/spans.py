"""Makes spans with OpenTelemetry's SDK, under given ids. Imported only when tracing is on."""

import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from orchestration.telemetry.trace_ids import trace_id_of

Attributes = Mapping[str, str | int | bool]


@dataclass(frozen=True)
class SpanEvent:
    """An event of a span; `at` in ns since 1970."""

    name: str
    at: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True)
class SpanData:
    """A span of a saga's trace; times in ns since 1970. Without `parent` it is the span of the whole saga."""

    saga_id: UUID
    name: str
    began: int
    ended: int
    parent: int | None = None
    own_id: int | None = None
    attributes: Attributes = field(default_factory=dict)
    links: Sequence[SpanContext] = ()
    happened: Sequence[SpanEvent] = ()
    error: str = ""
    kind: SpanKind = SpanKind.INTERNAL


class Spans:
    """Makes spans and exports them in the background."""

    def __init__(self, exporter: SpanExporter, service: str) -> None:
        process: dict[str, str | int] = {
            "service.name": service,
            "host.name": gethostname(),
            "process.pid": os.getpid(),
        }
        resource = Resource.create({**process})  # adds the attributes of OTEL_RESOURCE_ATTRIBUTES
        self._provider = TracerProvider(resource=resource, sampler=ALWAYS_ON, id_generator=_Given())
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("orchestration")

    def make(self, made: SpanData) -> None:
        """Record the span, so that it is exported later."""
        given = _given.set((trace_id_of(made.saga_id), made.own_id))
        try:
            span = self._tracer.start_span(
                made.name,
                context=_under(made),
                kind=made.kind,
                attributes={**made.attributes, "saga.id": str(made.saga_id)},
                links=[Link(context) for context in made.links],
                start_time=made.began,
            )
        finally:
            _given.reset(given)
        for each in made.happened:
            span.add_event(each.name, each.attributes, timestamp=each.at)
        if made.error:
            span.set_status(Status(StatusCode.ERROR, made.error))
        span.end(made.ended)

    def flush(self) -> None:
        """Export the recorded spans now."""
        self._provider.force_flush()


def context_of(saga_id: UUID, span_id: int) -> SpanContext:
    """Return the context of a span of the saga's trace, for parents and links."""
    return SpanContext(trace_id_of(saga_id), span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def exporter_for(traces: str) -> SpanExporter:
    """Return the exporter of `SHOP_TRACES`: "otlp" (configured by OTEL_EXPORTER_OTLP_… variables) or "file:PATH"."""
    if traces.startswith("file:"):
        return _File(Path(traces.removeprefix("file:")))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


class _File(SpanExporter):
    """Writes one JSON object a line. Lines are appended in one write, so that several processes can share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        lines = "".join(f"{span.to_json(indent=None)}\n" for span in spans)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, lines.encode())
        finally:
            os.close(descriptor)
        return SpanExportResult.SUCCESS


_given: ContextVar[tuple[int, int | None]] = ContextVar("given", default=(0, None))


class _Given(RandomIdGenerator):
    """Uses the given ids, or a random id where none is given."""

    def generate_trace_id(self) -> int:
        return _given.get()[0] or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return _given.get()[1] or super().generate_span_id()


def _under(made: SpanData) -> Context:
    parent = trace.INVALID_SPAN if made.parent is None else NonRecordingSpan(context_of(made.saga_id, made.parent))
    return trace.set_span_in_context(parent)
