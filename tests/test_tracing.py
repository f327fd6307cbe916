"""Spans of events, of their steps and of their deliveries, in one process; off, nothing of OpenTelemetry is loaded."""

import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import format_trace_id, get_current_span

from classwaves import trail
from classwaves.models import Draft
from classwaves.otel import OpenTelemetrySpans
from classwaves.settings import Settings, SettingsError
from classwaves.tracing import is_wanted
from classwaves.trail import DELIVER, EVENT, REQUEST, Trail
from tests.support.apps import AppFactory, headers_for
from tests.support.gunicorn_server import TEST_KEYS
from tests.support.tabs import Classroom, open_classroom

Measure = tuple[InMemorySpanExporter, TracerProvider]


def measured(sampler: Sampler) -> Measure:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ParentBased(sampler), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trail.measure(OpenTelemetrySpans(provider.get_tracer("test")))
    return exporter, provider


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, _ = measured(ALWAYS_ON)
    yield exporter
    trail.measure(None)


@pytest.fixture
def classroom(make_app: AppFactory) -> Classroom:
    return open_classroom(make_app())


def named(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    span_id: int = span.context.span_id
    return span_id


def attributes(span: ReadableSpan) -> Mapping[str, object]:
    return dict(span.attributes or {})


def test_a_message_is_one_trace(classroom: Classroom, spans: InMemorySpanExporter) -> None:
    ada = classroom.joined("Ada")
    spans.clear()
    ada.say(classroom.code, "what nobody may read")
    found = named(spans)
    event, handler = found["classwaves.event sendMessage"], found["classwaves.handler"]
    append, delivery = found["classwaves.append"], found["classwaves.deliver messageReceived"]
    assert event.parent is None
    assert parent_of(handler) == id_of(event)
    assert parent_of(append) == id_of(handler)
    assert parent_of(delivery) == id_of(event)
    assert len({span.context.trace_id for span in found.values() if span.context}) == 1
    assert attributes(event) == {
        "messaging.system": "classwaves",
        "messaging.operation.type": "process",
        "messaging.operation.name": "sendMessage",
        "messaging.destination.name": attributes(delivery)["classwaves.session.id"],
        "classwaves.session.id": attributes(delivery)["classwaves.session.id"],
        "enduser.pseudo.id": "ada",
    }


def test_a_refusal_is_no_fault_and_a_fault_is(classroom: Classroom, spans: InMemorySpanExporter) -> None:
    tab = classroom.tab("Ada")
    tab.ask("sendMessage", {"sessionCode": classroom.code, "message": "hello"})
    refused = named(spans)["classwaves.event sendMessage"]
    assert attributes(refused)["error.type"] == "NOT_IN_SESSION"
    assert refused.status.is_ok or refused.status.is_unset
    with pytest.raises(ValueError, match="what Ann has said"), Trail(EVENT, "broken"):
        raise ValueError("what Ann has said")
    broken = named(spans)["classwaves.event broken"]
    assert not broken.status.is_ok and not broken.status.is_unset
    assert "what Ann has said" not in broken.to_json()


def test_no_text_name_or_code_is_in_a_span(classroom: Classroom, spans: InMemorySpanExporter) -> None:
    ada = classroom.guest("Marker Name")
    ada.join(classroom.code)
    ada.say(classroom.code, "marker text")
    ada.ask("markerEvent", {"marker": 1})
    told = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "classwaves.event unknown" in told
    assert not [secret for secret in ("marker", classroom.code) if secret.lower() in told.lower()]


def test_a_request_goes_on_with_its_callers_trace(make_app: AppFactory, spans: InMemorySpanExporter) -> None:
    app = make_app(CLASSWAVES_TRUSTED_PROXIES=1)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {**headers_for(app, "Grace", "teacher"), "Traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = app.test_client().post("/api/v1/sessions", json={"title": "A lesson"}, headers=headers)
    assert answer.status_code == 201
    assert answer.headers["X-Request-Id"] == trace
    (request,) = spans.get_finished_spans()
    assert request.context and format_trace_id(request.context.trace_id) == trace
    assert parent_of(request) == int("00f067aa0ba902b7", 16)
    assert request.name.startswith("classwaves.request classwaves_sessions.")


def test_what_is_not_sampled_keeps_its_id_and_is_not_delivered_as_a_span() -> None:
    exporter, _ = measured(ALWAYS_OFF)
    try:
        with Trail(EVENT, "sendMessage") as event:
            mark = Draft("a", {}).trace
            assert trail.run_step("classwaves.handler", str, 1) == "1"
        assert mark.startswith(f"00-{event.id}-")
        assert not int(mark[-2:], 16) & 1, "the flag that says sampled"
        with Trail(DELIVER, "a", parent=mark) as delivery:
            assert delivery.id == event.id
        assert not exporter.get_finished_spans()
    finally:
        trail.measure(None)


def test_an_entry_that_nobody_measured_begins_no_trace(spans: InMemorySpanExporter) -> None:
    plain = "4bf92f3577b34da6a3ce929d0e0e4736"
    for parent in ("", plain):
        with Trail(DELIVER, "a", parent=parent) as delivery:
            assert (delivery.id, trail.mark()) == (parent, parent)
    assert not spans.get_finished_spans()


def test_where_it_is_off_a_mark_of_who_measures_goes_on() -> None:
    mark = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with Trail(DELIVER, "a", parent=mark) as delivery:
        assert delivery.id == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert Draft("what comes of it", {}).trace == mark


def test_a_request_is_within_the_applications_own_span(spans: InMemorySpanExporter) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("shop").start_as_current_span("the shop's") as outer:
        with Trail(REQUEST, "a"):
            assert get_current_span() is not outer
        assert get_current_span() is outer
        with Trail(EVENT, "b"):
            pass
    found = named(spans)
    assert parent_of(found["classwaves.request a"]) == outer.get_span_context().span_id
    assert found["classwaves.event b"].parent is None


@pytest.mark.parametrize(
    ("choice", "environ", "wanted"),
    [
        ("auto", {}, False),
        ("auto", {"OTEL_TRACES_EXPORTER": "none"}, False),
        ("auto", {"OTEL_SERVICE_NAME": "school"}, False),
        ("auto", {"OTEL_TRACES_EXPORTER": "console"}, True),
        ("auto", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ("1", {}, True),
        ("0", {"OTEL_TRACES_EXPORTER": "otlp"}, False),
        ("1", {"OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_when_it_is_on(choice: str, environ: dict[str, str], wanted: bool) -> None:
    assert is_wanted(choice, environ) is wanted


def test_asked_for_without_the_extra(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from classwaves import tracing

    monkeypatch.setattr(tracing, "is_installed", lambda: False)
    with pytest.raises(SettingsError, match=r"pip install 'classwaves\[otel\]'"):
        Settings.load({**TEST_KEYS, "CLASSWAVES_TRACING": "1"}, {})
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    tracing.start("auto")
    assert "not installed" in caplog.text


def test_off_it_costs_no_import() -> None:
    program = (
        "import sys; from classwaves import create_app; "
        f"create_app({ {**TEST_KEYS, 'CLASSWAVES_ARCHIVE_URL': 'none'}!r}); "
        "sys.exit('classwaves.otel' in sys.modules)"  # redis-py imports what it finds of OpenTelemetry itself
    )
    assert subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": "."}, check=False).returncode == 0
