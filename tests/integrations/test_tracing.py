"""The examples of docs/tracing.md, with the real packages."""

import json
import re
from typing import Any

import pytest

from tests.integrations.serving import output_of, serving
from tests.integrations.tracing_page import TRACE

FAILING = {
    "/orders/7": "no such order",
    "/blocking": "a sync handler",
    "/hooked": "a hook",
    "/stream": "a stream",
    "/dressed": "a dressed one",
    "/below/orders/7": "one below",
    "WebSocket /chat/blue": "a socket",
}
ROUTES = {
    "/orders/7": "/orders/{number}",
    "/notes/show/7": "/notes/show/{id}",
    "/blocking": "/blocking",
    "/hooked": "/hooked",
    "/stream": "/stream",
    "/teapot": "/teapot",
    "/answered": "/answered",
    "/dressed": "/dressed",
    "/users/7/posts/3": "/users/{user_id}/posts/{id}",
    "/below/orders/7": "/below",
    "/orders/x": "/orders/{number}",
    "WebSocket /chat/blue": "/chat/{room}",
}
NOWHERE = {"/nowhere", "WebSocket /nowhere/blue"}


@pytest.fixture(scope="module")
def by_url() -> Any:
    """What Sentry is sent, with the page's `transaction_style`."""
    return json.loads(output_of("tests.integrations.tracing_probe", "sentry", "url"))


@pytest.fixture(scope="module")
def opentelemetry() -> Any:
    """What OpenTelemetry keeps."""
    return json.loads(output_of("tests.integrations.tracing_probe", "opentelemetry"))


@pytest.fixture(scope="module")
def spans(opentelemetry: Any) -> dict[str, Any]:
    """The span of each request."""
    return {path: taken[-1] for path, taken in opentelemetry["spans"].items()}


def test_sentry_names_requests_by_their_route(by_url):
    """Transactions and reports are called like the template; what leads nowhere has its URL."""
    names = {path: {item["transaction"] for item in items} for path, items in by_url.items()}
    urls = {path: {items[0]["url"]} for path, items in by_url.items() if path in NOWHERE}
    assert names == {path: {name} for path, name in ROUTES.items()} | urls


def test_sentry_names_requests_by_their_handler():
    """That is its own default."""
    by_endpoint = json.loads(output_of("tests.integrations.tracing_probe", "sentry", "endpoint"))
    assert {item["transaction"] for item in by_endpoint["/orders/7"]} == {"shop.Shop.orders"}


def test_sentry_is_told_of_each_exception_once(by_url):
    """From handlers, threads, hooks, streams, WebSockets; not of `HTTPError`s, and what `_on_error` has answered."""
    told = {path: [text for item in items for text in item["exceptions"]] for path, items in by_url.items()}
    assert told == {path: [FAILING[path]] if path in FAILING else [] for path in told}


def test_sentry_is_told_of_the_request_and_the_handler(by_url):
    """A report has the URL, and the attributes of the log's record."""
    report = by_url["/orders/7"][0]
    assert (report["url"], report["handler"]) == ("http://localhost/orders/7", "Shop.orders")


def test_opentelemetry_names_spans_by_their_route(spans):
    """A span's name has no value of the client's, whether the path leads somewhere or not."""
    named = {path: (span["name"], span["route"]) for path, span in spans.items()}
    assert named == {path: (f"GET {route}", route) for path, route in ROUTES.items()} | dict.fromkeys(
        NOWHERE, ("GET", None)
    )


def test_opentelemetry_names_its_metrics_by_the_route(opentelemetry):
    """The duration of a request is kept under the template, which its middleware finds by itself."""
    assert opentelemetry["targets"] == sorted({route for path, route in ROUTES.items() if "WebSocket" not in path})


def test_opentelemetry_is_told_of_each_exception_once(spans):
    """A span that failed has the exception; that of a stream comes a second time, through the middleware."""
    told = {path: span["exceptions"] for path, span in spans.items() if path != "/stream"}
    assert told == {path: [FAILING[path]] if path in FAILING else [] for path in told}
    assert spans["/stream"]["exceptions"] == ["a stream", "a stream"]
    assert {path for path, span in spans.items() if span["status"] == "ERROR"} == set(FAILING)


def test_opentelemetry_makes_one_span_a_request(opentelemetry):
    """No span for each message, as the page configures it; a handler's own is the child of its request's."""
    assert {path: len(taken) for path, taken in opentelemetry["spans"].items() if path != "/blocking"} == dict.fromkeys(
        [path for path in [*ROUTES, *NOWHERE] if path != "/blocking"], 1
    )
    own, request = opentelemetry["spans"]["/blocking"]
    assert (own["name"], own["parent"], request["name"]) == ("bake", "GET /blocking", "GET /blocking")


def test_opentelemetry_goes_on_with_the_clients_trace(spans):
    """A `traceparent` in the request is the trace of its span."""
    assert {span["trace"] for path, span in spans.items() if "WebSocket" not in path} == {TRACE}


def test_opentelemetry_prints_spans():
    """The page's SDK is set up before the first request, and gets the spans that are made afterwards."""
    assert json.loads(output_of("tests.integrations.tracing_probe", "exported"))["name"] == "bake"


def test_prometheus_is_mounted(tmp_path):
    """Requests are counted by template and status, and `/metrics` answers on a server."""
    with serving("tests.integrations.metered:app", tmp_path / "log") as server, server.client() as client:
        for path in ("/orders/7", "/orders/8", "/orders/x", "/nowhere"):
            client.get(path)
        reply = client.get("/metrics")
    counts = re.findall(r'^http_request_seconds_count\{route="(.*)",status="(.*)"\} (.*)$', reply.text, re.MULTILINE)
    assert reply.headers["content-type"].startswith("text/plain")
    assert counts == [("/orders/{number}", "200", "2.0"), ("/orders/{number}", "400", "1.0")]
