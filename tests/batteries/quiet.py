"""The applications for Schemathesis: what that sends is not always HTTP, and the server need not say so."""

import importlib
import logging

from tests.batteries.generated import app as shop

todo = importlib.import_module("examples.todo_api.app").app

__all__ = ["shop", "todo"]

logging.getLogger("uvicorn.error").addFilter(lambda record: record.getMessage() != "Invalid HTTP request received.")
