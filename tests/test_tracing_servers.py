"""Spans of two real workers on one Redis, as a collector gets them over OTLP: one trace, whole also when they end."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.pair import QUICK, open_pair
from tests.support.pair import redis as redis
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.xdist_group("tracing servers")

Span = tuple[str, bytes, bytes, str]
"""Its name, id and parent, and the instance that made it."""


class Collector(ThreadingHTTPServer):
    """What is at ``/v1/traces``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.traces: dict[bytes, list[Span]] = defaultdict(list)

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {one.key: one.value.string_value for one in resource.resource.attributes}
            assert about["service.name"] == "classwaves"
            for scope in resource.scope_spans:
                for span in scope.spans:
                    made = (span.name, span.span_id, span.parent_span_id, about["service.instance.id"])
                    self.traces[span.trace_id].append(made)


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.take(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_one_message_is_one_trace_over_both_workers(redis: RedisServer, collector: Collector) -> None:
    env = {
        **QUICK,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "60000",  # so that all of it comes with the end
    }
    with open_pair(redis.url, env) as pair:
        code = pair.a.session()
        ann, bob = pair.a.joined(code, "Ann"), pair.b.joined(code, "Bob")
        ann.say(code, "hello")
        bob.wait_for("messageReceived")
        assert pair.a.server.stop() == pair.b.server.stop() == 0
    (spans,) = [
        spans for spans in collector.traces.values() if "classwaves.event sendMessage" in {span[0] for span in spans}
    ]
    by_name = {span[0]: span for span in spans}
    event = by_name["classwaves.event sendMessage"]
    assert sorted(span[0] for span in spans) == [
        "classwaves.append",
        "classwaves.deliver messageReceived",
        "classwaves.deliver messageReceived",
        "classwaves.event sendMessage",
        "classwaves.handler",
    ]
    assert event[2] == b""
    assert by_name["classwaves.handler"][2] == event[1]
    assert by_name["classwaves.append"][2] == by_name["classwaves.handler"][1]
    deliveries = [span for span in spans if span[0] == "classwaves.deliver messageReceived"]
    assert {span[2] for span in deliveries} == {event[1]}
    assert len({span[3] for span in deliveries}) == 2, "one of each worker"
