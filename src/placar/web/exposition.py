"""From counters to the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from placar.web.metrics import BUCKETS, Latency, Meters


@dataclass(frozen=True, slots=True)
class Present:
    """What is true now, seen from the worker that answers."""

    champion: tuple[str, str] | None
    """Model and version."""
    active_runs: int | None
    """None when the store does not tell."""
    ready: bool
    crashes: Mapping[str, int]
    """Ends of workers that nobody had asked for, by cause."""
    last_crash: float | None
    """When the last of them was found, in seconds since 1970."""


def exposition(meters: Meters, present: Present, accept: str) -> tuple[bytes, str]:
    """Return the text and its content type: OpenMetrics when asked for, else text 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(meters, present))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collected(Collector):
    def __init__(self, meters: Meters, present: Present) -> None:
        self._meters = meters
        self._present = present

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield self._latency()
        yield from self._loop()
        yield from self._crashes()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        meters = self._meters
        requests = CounterMetricFamily(
            "placar_requests", "Answers, by address.", labels=["route", "method", "status"]
        )
        for (route, method, status), count in sorted(meters.requests.items()):
            requests.add_metric([route, method, str(status)], count)
        rows = CounterMetricFamily(
            "placar_rows", "Rows scored or rejected.", labels=["model", "version", "outcome"]
        )
        for labels, count in sorted(meters.rows_seen.items()):
            rows.add_metric(list(labels), count)
        warnings = CounterMetricFamily(
            "placar_warnings", "Warnings that came with answers.", labels=["model", "code"]
        )
        for pair, count in sorted(meters.warned.items()):
            warnings.add_metric(list(pair), count)
        shed = CounterMetricFamily(
            "placar_shed", "What was left out for want of time or memory.", labels=["what"]
        )
        for what, count in sorted(meters.shed.items()):
            shed.add_metric([what], count)
        swaps = CounterMetricFamily(
            "placar_slot_swaps", "Times that a worker swapped its champion.", value=meters.swaps
        )
        yield from (requests, rows, warnings, shed, swaps)

    def _latency(self) -> Metric:
        family = HistogramMetricFamily(
            "placar_request_seconds", "Time from request to answer.", labels=["route"]
        )
        for route, latency in sorted(self._meters.latency.items()):
            family.add_metric([route], _cumulated(latency), latency.total)
        return family

    def _loop(self) -> Iterator[Metric]:
        lag = HistogramMetricFamily(
            "placar_loop_lag_seconds", "Time that the event loop takes to answer its watchdog."
        )
        lag.add_metric([], _cumulated(self._meters.lag), self._meters.lag.total)
        yield lag
        yield CounterMetricFamily(
            "placar_loop_blocks",
            "Times that the loop was blocked for a second or more.",
            value=self._meters.blocks,
        )
        yield CounterMetricFamily(
            "placar_process_stalls",
            "Times that a whole worker stood still for a second or more.",
            value=self._meters.stalls,
        )

    def _crashes(self) -> Iterator[Metric]:
        crashes = CounterMetricFamily(
            "placar_worker_crashes", "Workers that ended unasked.", labels=["cause"]
        )
        for cause, count in sorted(self._present.crashes.items()):
            crashes.add_metric([cause], count)
        yield crashes
        last = GaugeMetricFamily(
            "placar_last_crash_timestamp_seconds", "When the last crash was found."
        )
        if self._present.last_crash is not None:
            last.add_metric([], self._present.last_crash)
        yield last

    def _gauges(self) -> Iterator[Metric]:
        champion = GaugeMetricFamily(
            "placar_champion_info", "The version that answers.", labels=["model", "version"]
        )
        if self._present.champion is not None:
            champion.add_metric(list(self._present.champion), 1)
        yield champion
        runs = GaugeMetricFamily("placar_active_runs", "Runs that are queued or running.")
        if self._present.active_runs is not None:
            runs.add_metric([], self._present.active_runs)
        yield runs
        yield GaugeMetricFamily(
            "placar_ready", "1 when /ready says so.", value=float(self._present.ready)
        )


def _cumulated(latency: Latency) -> list[tuple[str, int]]:
    """Return the buckets as Prometheus wants them: each with all that are smaller."""
    buckets, sofar = [], 0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), latency.counts, strict=True):
        sofar += count
        buckets.append((bound, sofar))
    return buckets
