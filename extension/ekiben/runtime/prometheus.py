"""Figures (``metrics.py``) as the text that Prometheus scrapes, written by Prometheus' own library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .metrics import ROWS, SECONDS, Figures


def page(figures: Figures, labels: dict[str, str], drifts: list[dict[str, Any]]) -> bytes:
    """The page of ``/metrics``; ``labels`` name the model, ``drifts`` are those of ``drift.py``."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures, labels, drifts))
    return generate_latest(registry)


class _Collector:
    """What ``prometheus_client`` asks for metric families."""

    def __init__(self, figures: Figures, labels: dict[str, str], drifts: list[dict[str, Any]]) -> None:
        self.figures = figures
        self.labels = labels
        self.drifts = drifts

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        found = self.figures
        yield InfoMetricFamily("ekiben_model", "The model that answers.", value=self.labels)
        requests = CounterMetricFamily("ekiben_requests", "Requests answered.", labels=("protocol", "status"))
        for key, count in found["requests"].items():
            requests.add_metric(tuple(key.rsplit(" ", 1)), count)
        yield requests
        latency = HistogramMetricFamily(
            "ekiben_request_seconds", "From the whole body's arrival to the answer.", labels=("protocol",)
        )
        for protocol, made in found["latency"].items():
            latency.add_metric((protocol,), cumulative(SECONDS, made["counts"]), made["total"])
        yield latency
        for name, text, ends, key in (
            ("ekiben_batch_rows", "Rows in one call of the model.", ROWS, "batches"),
            ("ekiben_model_seconds", "One call of the model.", SECONDS, "model_seconds"),
        ):
            family = HistogramMetricFamily(name, text)
            family.add_metric((), cumulative(ends, found[key]["counts"]), found[key]["total"])
            yield family
        for name, text, key in (
            ("ekiben_rows", "Rows answered.", "rows"),
            ("ekiben_rejected", "Requests refused because the queue was full.", "shed"),
            ("ekiben_recorded_rows", "Rows written to the record.", "recorded"),
            ("ekiben_unrecorded_rows", "Rows that the record had to leave out.", "unrecorded"),
            ("ekiben_polling_seconds", "Processor time spent awake for the next request.", "polling"),
            ("ekiben_invalid", "Requests whose rows break the contract.", "invalid"),
        ):
            yield CounterMetricFamily(name, text, value=found[key])
        broken = CounterMetricFamily(
            "ekiben_problems", "What was wrong with refused rows.", labels=("field", "code")
        )
        for key, count in found["broken"].items():
            code, _space, field = key.partition(" ")
            broken.add_metric((field, code), count)
        yield broken
        closed = CounterMetricFamily(
            "ekiben_connections_closed", "Connections that were ended or refused.", labels=("reason",)
        )
        for key, count in found["closed"].items():
            closed.add_metric((key,), count)
        yield closed
        drift = GaugeMetricFamily(
            "ekiben_drift_psi", "Population stability index of a field against the sample.", labels=("field",)
        )
        for told in self.drifts:
            if told["psi"] is not None:
                drift.add_metric((told["name"],), told["psi"])
        yield drift
        for name, text, key in (
            ("ekiben_connections", "Connections that are open.", "connections"),
            ("ekiben_in_flight", "Requests being answered.", "in_flight"),
            ("ekiben_memory_bytes", "Resident memory of all workers.", "memory"),
            ("ekiben_workers", "Processes that answer.", "workers"),
        ):
            yield GaugeMetricFamily(name, text, value=found["now"][key])


def cumulative(ends: tuple[float, ...], counts: list[int]) -> list[tuple[str, float]]:
    """``(upper end, values up to it)``, as Prometheus writes buckets."""
    so_far = 0
    found = []
    for end, count in zip((*ends, None), counts, strict=True):
        so_far += count
        found.append(("+Inf" if end is None else f"{end:g}", float(so_far)))
    return found
