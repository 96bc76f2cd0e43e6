"""The application of docs/tracing.md that Prometheus asks, for a server."""

from tests.integrations.tracing_page import example

app = example("Prometheus")["app"]
