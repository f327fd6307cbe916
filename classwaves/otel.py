"""Trails as spans of OpenTelemetry. Imports the trail.

No name, text, code of a session or message of an exception is an attribute of a span.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from opentelemetry import context, trace
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from .trail import DELIVER, EVENT, PUBLISH, REQUEST, Trail, id_of

logger = logging.getLogger(__name__)

_KINDS = {
    EVENT: trace.SpanKind.SERVER,
    REQUEST: trace.SpanKind.SERVER,
    PUBLISH: trace.SpanKind.PRODUCER,
    DELIVER: trace.SpanKind.CONSUMER,
}
#: What an operation is by OpenTelemetry's conventions for messaging, which know no name for a request.
_OPERATIONS = {EVENT: "process", PUBLISH: "send", DELIVER: "receive"}
#: Codes of what is the server's fault: their spans are errors, a refusal's is not.
_FAULTS = ("INTERNAL_ERROR", "SERVICE_UNAVAILABLE")
#: The protocols of OTLP, as their exporters are registered.
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


class _Held(NamedTuple):
    span: trace.Span
    token: Any


class OpenTelemetrySpans:
    """The :class:`~classwaves.trail.Spans` of a tracer."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def begin(self, trail: Trail, parent: str) -> _Held | None:
        above = _context_of(parent)
        if above is None and trail.kind == DELIVER:  # of what nobody measured
            trail.id, trail.mark = id_of(parent), parent
            return None
        if above is None:
            # a client's event begins a trace; a request, or a publish, may be within one of the application's own
            above = context.Context() if trail.kind == EVENT else context.get_current()
        span = self._tracer.start_span(
            f"classwaves.{trail.kind} {trail.event}", above, _KINDS[trail.kind], _attributes(trail)
        )
        own = span.get_span_context()
        trail.id = trace.format_trace_id(own.trace_id)
        trail.mark = f"00-{trail.id}-{trace.format_span_id(own.span_id)}-{int(own.trace_flags):02x}"
        return _Held(span, context.attach(trace.set_span_in_context(span, above)))

    def end(self, span: _Held, trail: Trail, error: BaseException | None) -> None:
        held = span.span
        context.detach(span.token)
        if held.is_recording():
            held.set_attributes(_attributes(trail))
            if error is not None or trail.code in _FAULTS:
                held.set_status(trace.StatusCode.ERROR)
            if error is not None:
                held.set_attribute("error.type", type(error).__qualname__)
            elif trail.code:
                held.set_attribute("error.type", trail.code)
        held.end()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if not trace.get_current_span().is_recording():
            yield
            return
        # an exception's message may repeat what a client has sent
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False):
            yield


def _attributes(trail: Trail) -> dict[str, str]:
    found = {
        "messaging.system": "classwaves" if trail.kind in _OPERATIONS else "",
        "messaging.operation.type": _OPERATIONS.get(trail.kind, ""),
        "messaging.operation.name": trail.event if trail.kind in _OPERATIONS else "",
        "messaging.destination.name": trail.session_id if trail.kind in _OPERATIONS else "",
        "classwaves.session.id": trail.session_id,
        "enduser.pseudo.id": trail.user_id,
    }
    return {name: value for name, value in found.items() if value}


def _context_of(parent: str) -> context.Context | None:
    """What a ``traceparent`` names, on this worker or another; ``None`` if it is none."""
    parts = parent.split("-")
    if len(parts) != 4:
        return None
    above = trace.SpanContext(
        int(parts[1], 16), int(parts[2], 16), is_remote=True, trace_flags=trace.TraceFlags(int(parts[3], 16))
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(above), context.Context())


def tracer() -> trace.Tracer:
    """The tracer of the provider that the application has set up; if there is none, of one by ``OTEL_*``."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(_provider(os.environ))
    return trace.get_tracer("classwaves")


def _provider(environ: Mapping[str, str]) -> TracerProvider:
    """It samples as ``OTEL_TRACES_SAMPLER`` says, and sends what it still has when the process ends."""
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "classwaves"}))
    if SERVICE_INSTANCE_ID not in resource.attributes:  # older SDKs do not tell processes apart
        resource = resource.merge(Resource({SERVICE_INSTANCE_ID: str(uuid.uuid4())}))
    provider = TracerProvider(resource=resource)
    for name in environ.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
        if (name := name.strip()) not in ("", "none"):
            _export(provider, name, environ)
    return provider


def _export(provider: TracerProvider, name: str, environ: Mapping[str, str]) -> None:
    if name == "otlp":
        protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        name = _OTLP.get(protocol or "http/protobuf", name)
    found = [*entry_points(group="opentelemetry_traces_exporter", name=name)]
    if found:
        provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
    else:
        logger.warning("no exporter of traces is installed that is called %s: see OTEL_TRACES_EXPORTER", name)
