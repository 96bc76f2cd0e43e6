"""examples/todo_api, for Schemathesis: what that sends is not always HTTP, and the server need not say so."""

import importlib
import logging

app = importlib.import_module("examples.todo_api.app").app

logging.getLogger("uvicorn.error").addFilter(lambda record: record.getMessage() != "Invalid HTTP request received.")
