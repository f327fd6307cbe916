"""Whether spans are made, by OpenTelemetry, which is an extra: nothing of it is imported where it is off.

Imports the trail.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Mapping

from . import trail

logger = logging.getLogger(__name__)

#: The variables of OpenTelemetry that say where spans go: one of them is enough.
ADDRESSES = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_installed() -> bool:
    """Whether the extra ``otel`` is."""
    return all(importlib.util.find_spec(name) for name in ("opentelemetry", "opentelemetry.sdk"))


def is_wanted(choice: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether ``CLASSWAVES_TRACING``, or what OpenTelemetry reads itself, asks for spans."""
    environ = os.environ if environ is None else environ
    if choice == "0" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return choice == "1" or any(environ.get(name, "none") not in ("", "none") for name in ADDRESSES)


def start(choice: str) -> None:
    """Measure this process's trails from now on, if that is wanted. Called in each worker, after gunicorn's fork."""
    if not is_wanted(choice):
        return
    if not is_installed():
        logger.warning("traces are asked for, but OpenTelemetry is not installed: pip install 'classwaves[otel]'")
        return
    from .otel import OpenTelemetrySpans, tracer

    trail.measure(OpenTelemetrySpans(tracer()))
