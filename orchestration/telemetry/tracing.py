"""Traces sagas: one trace a saga, with spans for the saga, each dispatch, each try of a step and each request.

Imported only when tracing is on. Ids come from the saga's id and the dispatch's token (`trace_ids`), so a trace
continues in any process, after any wait, and after a resume. The span of the whole saga is made when it ends.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from opentelemetry import trace
from opentelemetry.trace import SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from orchestration.execution.results import Ending
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.protocol.states import ENDED, Kind
from orchestration.signals import sagas_moved, steps_ended
from orchestration.telemetry.signal_receivers import is_repeated, operations, outcome_of
from orchestration.telemetry.spans import Attributes, SpanData, SpanEvent, Spans, context_of, exporter_for
from orchestration.telemetry.trace_ids import dispatch_id, is_traced, whole_id

Move = tuple[SagaInstance, Sequence[SagaLogEntry]]

_moved: ContextVar[set[UUID] | None] = ContextVar("moved", default=None)
"""The sagas that the current request has changed."""
_spans: Spans | None = None


def start() -> None:
    """Trace what signals report in this process from now on."""
    trace_with(Spans(exporter_for(settings.TRACES), settings.TOPOLOGY.name("shop")))


def trace_with(spans: Spans | None) -> None:
    """Make spans with `spans` from now on; with None, make none."""
    global _spans
    _spans = spans
    connect = "connect" if spans else "disconnect"
    getattr(sagas_moved, connect)(_trace_moves)
    getattr(steps_ended, connect)(_trace_steps)


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Make a span for each request that starts or changes a saga, linked to the caller's own trace (middleware)."""

    def handle(request: HttpRequest) -> HttpResponse:
        began, before = time.time_ns(), _moved.set(set())
        try:
            response = get_response(request)
            _make(_of_request(saga_id, request, response, began) for saga_id in _moved.get() or ())
            return response
        finally:
            _moved.reset(before)

    return handle


def _trace_moves(moves: Sequence[Move], **_: Any) -> None:
    now = time.time_ns()
    traced = [(saga, entries) for saga, entries in moves if _is_traced(saga.pk)]
    if (moved := _moved.get()) is not None:
        moved.update(saga.pk for saga, _ in traced)
    _make(_of_move(saga, entries, now) for saga, entries in traced)


def _trace_steps(endings: Sequence[Ending], **_: Any) -> None:
    now, monotonic = time.time_ns(), time.monotonic()
    _make(
        _of_step(ending, saga_id, now - int((monotonic - ending.message.began) * 1e9), now)
        for ending in endings
        for saga_id in ending.message.sagas
        if _is_traced(saga_id)
    )


def _of_move(saga: SagaInstance, entries: Sequence[SagaLogEntry], now: int) -> SpanData:
    """Return the span of the whole saga if it has ended, else of the decided dispatch, else of the decision to wait."""
    dispatch, happened = context_of(saga.pk, dispatch_id(saga.pk, saga.token)), [_happened(entry) for entry in entries]
    attributes: Attributes = {
        "saga.definition": saga.definition,
        "saga.phase": str(saga.phase),
        "saga.token": saga.token,
    }
    if saga.phase in ENDED:
        began = _ns(saga.created_at)
        own_id = whole_id(saga.pk)
        return SpanData(saga.pk, saga.definition, began, now, own_id=own_id, attributes=attributes, happened=happened)
    if sent := next((entry for entry in entries if entry.kind in (Kind.SENT, Kind.STARTED)), None):
        name = f"send {sent.detail.get('what', 'forward')}"
        links = [context_of(saga.pk, dispatch_id(saga.pk, saga.token - 1))] if saga.token > 1 else []
        parent, own_id = whole_id(saga.pk), dispatch.span_id
        return SpanData(saga.pk, name, now, now, parent, own_id, attributes, links, happened, kind=SpanKind.PRODUCER)
    return SpanData(saga.pk, "wait", now, now, dispatch.span_id, attributes=attributes, happened=happened)


def _of_step(ending: Ending, saga_id: UUID, began: int, ended: int) -> SpanData:
    message = ending.message
    task, token = message.task, int(message.kwargs["token"])
    attributes: Attributes = {
        "saga.step": message.kwargs["step"],
        "saga.operation": operations().get(task, ""),
        "saga.outcome": outcome_of(ending),
        "saga.repeated": is_repeated(ending),
        "messaging.message.id": message.id,
    }
    error = type(ending.error).__name__ if ending.error else ""  # its message may hold a secret
    parent = dispatch_id(saga_id, token)
    return SpanData(saga_id, task, began, ended, parent, attributes=attributes, error=error, kind=SpanKind.CONSUMER)


def _of_request(saga_id: UUID, request: HttpRequest, response: HttpResponse, began: int) -> SpanData:
    attributes: Attributes = {
        "http.request.method": request.method or "",
        "url.path": request.path,
        "http.response.status_code": response.status_code,
    }
    name = f"{request.method} {request.resolver_match.route if request.resolver_match else request.path}"
    ended, links = time.time_ns(), _callers(request)
    return SpanData(
        saga_id, name, began, ended, whole_id(saga_id), attributes=attributes, links=links, kind=SpanKind.SERVER
    )


def _callers(request: HttpRequest) -> list[SpanContext]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    context = trace.get_current_span(TraceContextTextMapPropagator().extract(headers)).get_span_context()
    return [context] if context.is_valid else []


def _happened(entry: SagaLogEntry) -> SpanEvent:
    attributes = {"saga.step": entry.step, "saga.code": entry.detail.get("code") or entry.detail.get("class")}
    return SpanEvent(entry.kind, _ns(entry.at), {name: str(value) for name, value in attributes.items() if value})


def _is_traced(saga_id: UUID) -> bool:
    return is_traced(saga_id, settings.TRACES_SHARE)


def _make(made: Iterator[SpanData]) -> None:
    if _spans is not None:
        for each in made:
            _spans.make(each)


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1e9)
