"""What operators see: figures for Prometheus, and a line of JSON per request without people in it.

Where several workers serve, the library keeps its figures in a folder that all of them write to
(`PROMETHEUS_MULTIPROC_DIR`, set before it is imported).
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

access = logging.getLogger("api.access")

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
NO_ROUTE = "(none)"

_registry = CollectorRegistry()
_seconds = Histogram(
    "nbo_request_seconds", "Time to answer.", ("route", "status"),
    buckets=BUCKETS, registry=_registry,
)  # fmt: skip
_lists = Counter(
    "nbo_lists", "Lists by what they are made from.", ("strategy", "degraded"), registry=_registry
)
_rows = Counter(
    "nbo_rows", "Rows sent, by table and verdict.", ("table", "verdict"), registry=_registry
)


@cache
def _timer(route: str, status: int) -> Histogram:
    return _seconds.labels(route, f"{status // 100}xx")


@cache
def _counter(strategy: str, degraded: bool) -> Counter:
    return _lists.labels(strategy, str(degraded).lower())


def count_list(strategy: str, degraded: bool) -> None:
    """Count a list that was handed out."""
    _counter(strategy, degraded).inc()


def count_rows(table: str, accepted: int, duplicates: int, rejected: int) -> None:
    """Count what became of a batch."""
    counts = {"accepted": accepted, "duplicate": duplicates, "rejected": rejected}
    for verdict, count in counts.items():
        _rows.labels(table, verdict).inc(count)


def count_request(
    method: str, route: str, status: int, seconds: float, request_id: str, key: str
) -> None:
    """Count a request and, where wished for, log it: the route's template, never an id."""
    _timer(route, status).observe(seconds)
    if access.isEnabledFor(logging.INFO):
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1e3, 3),
            "key": key,
        }
        access.info(json.dumps(line))


class _Model(Collector):
    """What is told of the model that this worker serves; asked for, never kept."""

    def __init__(self, version: str, created_at: str) -> None:
        self._version, self._created_at = version, created_at

    def collect(self) -> Iterator[GaugeMetricFamily]:
        told = GaugeMetricFamily("nbo_model_info", "The served model.", labels=("version",))
        told.add_metric((self._version,), 1)
        yield told
        if self._created_at:
            made = datetime.fromisoformat(self._created_at).timestamp()
            text = "When the served model was made, since 1970."
            yield GaugeMetricFamily("nbo_model_created_seconds", text, made)
            age = max(time.time() - made, 0.0)
            yield GaugeMetricFamily("nbo_model_age_seconds", "Age of the served model.", age)


def exposition(version: str, created_at: str) -> tuple[bytes, str]:
    """Return all figures in Prometheus' text format, with its media type.

    Parameters
    ----------
    version : str
        Of the model that is served.
    created_at : str
        When it was made, ISO 8601; empty where that is not known.
    """
    model = CollectorRegistry()
    model.register(_Model(version, created_at))
    counted = _registry
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    return generate_latest(counted) + generate_latest(model), CONTENT_TYPE_LATEST
