"""Runs an example of docs/tracing.md, sends requests to its application, and prints what the tool has kept of each.

It runs in a process of its own, since these tools change the whole process.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import sentry_sdk
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from micropie import App, ConnectionClosed, Controller, HTTPError, HttpMiddleware, Nested, Resource
from micropie.testing import TestClient, WebSocketRefused
from tests.integrations.tracing_page import TRACE, example

PATHS = (
    *("/orders/7", "/notes/show/7", "/blocking", "/hooked", "/stream", "/teapot", "/orders/x", "/nowhere"),
    *("/answered", "/dressed", "/users/7/posts/3", "/below/orders/7"),
)
SOCKETS = ("/chat/blue", "/nowhere/blue")

Take = Callable[[], list[dict[str, Any]]]


class Notes(Controller):
    async def show(self, id: int, size="small"):
        return {"id": id, "size": size}


class Posts(Resource):
    async def get(self, user_id: int, id: int):
        return {"user": user_id, "id": id}


class Users(Controller):
    posts = Nested("user_id", Posts())


class Below(App):
    async def orders(self, number: int):
        raise LookupError("one below")


class Busy(App):
    """What the examples' applications have not: every way to answer and to fail."""

    notes = Notes()
    users = Users()
    below = Below()

    def _on_error(self, error):
        return {"an answered one": (409, "none left"), "a dressed one": (500, "sorry")}.get(str(error))

    async def answered(self):
        raise LookupError("an answered one")

    async def dressed(self):
        raise LookupError("a dressed one")

    def blocking(self):
        with trace.get_tracer("shop").start_as_current_span("bake"):
            pass
        raise LookupError("a sync handler")

    async def hooked(self):
        return "never"

    async def teapot(self):
        raise HTTPError(418)

    async def stream(self):
        async def chunks():
            yield "half"
            raise LookupError("a stream")

        return chunks()

    async def ws_chat(self, ws, room):
        await ws.accept()
        await ws.send_text("Hello")
        raise LookupError("a socket")


class FailingHook(HttpMiddleware):
    async def before_request(self, request):
        if request.scope["path"] == "/hooked":
            raise LookupError("a hook")


def busy(names: dict[str, Any]) -> Any:
    """The example's application, its middleware around one that does more."""
    shop, app = names["shop"], names["app"]
    app.app = type("Shop", (Busy, names["Shop"]), {})()
    app.app.middlewares.extend([*shop.middlewares, FailingHook()])
    app.app.ws_middlewares.extend(shop.ws_middlewares)
    return app


def requests(app: Any, take: Take) -> dict[str, list[dict[str, Any]]]:
    """What was kept of each request."""
    kept: dict[str, list[dict[str, Any]]] = {}
    with TestClient(app, raise_exceptions=False) as client:
        for path in PATHS:
            try:
                client.get(path, headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
            except ConnectionResetError:  # a stream that breaks
                assert path == "/stream"
            kept[path] = take()
        for path in SOCKETS:
            try:
                with client.websocket(path) as socket:
                    socket.receive_text()
                    socket.receive_text()
            except (ConnectionClosed, WebSocketRefused):
                kept[f"WebSocket {path}"] = take()
    return kept


def sentry(style: str) -> Any:
    """The events and transactions, as they would have been sent."""

    class Kept(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            items.extend(item.payload.json for item in envelope.items if item.type in {"event", "transaction"})

    items: list[Any] = []
    client = "traces_sample_rate=1.0, transport=sentry_sdk.kept"
    sentry_sdk.kept = Kept()  # type: ignore[attr-defined]
    names = example("Sentry", changes={"traces_sample_rate=0.1": client, '"url"': repr(style)})

    def take() -> list[dict[str, Any]]:
        taken = [
            {
                "transaction": item["transaction"],
                "exceptions": [value["value"] for value in item.get("exception", {}).get("values", ())],
                "url": item["request"]["url"],
                "handler": item["extra"].get("handler"),
            }
            for item in items
        ]
        items.clear()
        return taken

    return requests(busy(names), take)


def opentelemetry() -> Any:
    """The spans, and what the metrics call the paths."""
    exporter, provider, reader = InMemorySpanExporter(), TracerProvider(), InMemoryMetricReader()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))

    def take() -> list[dict[str, Any]]:
        spans = exporter.get_finished_spans()
        taken = [
            {
                "name": span.name,
                "route": (span.attributes or {}).get("http.route"),
                "status": span.status.status_code.name,
                "exceptions": [(event.attributes or {})["exception.message"] for event in span.events],
                "trace": f"{span.context.trace_id:032x}",
                "parent": next((other.name for other in spans if span.parent and other.context == span.parent), None),
            }
            for span in spans
        ]
        exporter.clear()
        return taken

    kept = requests(busy(example("OpenTelemetry")), take)
    data = json.loads(reader.get_metrics_data().to_json())  # type: ignore[union-attr]
    points = [
        point["attributes"].get("http.target")
        for resource in data["resource_metrics"]
        for scope in resource["scope_metrics"]
        for metric in scope["metrics"]
        if metric["name"] == "http.server.duration"
        for point in metric["data"]["data_points"]
    ]
    return {"spans": kept, "targets": sorted(set(filter(None, points)))}


def exported() -> Any:
    """The page's SDK, which prints the span that it is given."""
    provider = example("OpenTelemetry", 1)["provider"]
    trace.get_tracer("shop").start_span("bake").end()
    provider.shutdown()


TOOLS: dict[str, Callable[..., Any]] = {"sentry": sentry, "opentelemetry": opentelemetry, "exported": exported}

if __name__ == "__main__":
    tool, *arguments = sys.argv[1:]
    if (found := TOOLS[tool](*arguments)) is not None:
        print(json.dumps(found))  # noqa: T201
