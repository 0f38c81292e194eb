"""Spans of requests, where ``EKIBEN_TRACING`` asks for them: ``otlp`` or ``console``.

OpenTelemetry's own ASGI middleware makes them; a client's ``traceparent`` is their parent. ``otlp`` sends
them where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says and needs the package opentelemetry-exporter-otlp.
"""

from __future__ import annotations

from typing import Any


def traced(app: Any, name: str, exporter: str) -> Any:
    """``app`` within the middleware, its spans under the service ``name``.

    Raises:
        ValueError: ``exporter`` is neither.
        RuntimeError: a package is missing.
    """
    if exporter not in ("otlp", "console"):
        raise ValueError(f"EKIBEN_TRACING is {exporter!r}, not otlp or console.")
    try:
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

        if exporter == "otlp":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            made = OTLPSpanExporter()
        else:
            made = ConsoleSpanExporter()
    except ImportError as error:
        raise RuntimeError(
            f"EKIBEN_TRACING={exporter} needs {error.name}: "
            "pip install opentelemetry-instrumentation-asgi opentelemetry-sdk opentelemetry-exporter-otlp"
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": name.partition(":")[0]}))
    provider.add_span_processor(BatchSpanProcessor(made))
    return _Traced(OpenTelemetryMiddleware(app, tracer_provider=provider), provider)


class _Traced:
    """Sends the last spans at the end."""

    def __init__(self, app: Any, provider: Any) -> None:
        self.app = app
        self.provider = provider

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        if scope["type"] == "lifespan":
            self.provider.shutdown()
