"""Spectral, Redocly and openapi-core read our documents, and find no error."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from micropie.openapi import openapi
from micropie.testing import TestClient
from tests.batteries.generated import app as shop
from tests.integrations.serving import SECONDS

NODE_MODULES = Path(sys.prefix) / "node" / "node_modules"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}

todo = importlib.import_module("examples.todo_api.app").app

ONE = UUID(int=1)

READ: dict[str, Callable[[bytes], Any]] = {
    "application/problem+json": json.loads,
    "application/octet-stream": lambda data: data.decode("latin-1"),
}
"""What openapi-core takes for bytes by itself, which no schema of its fits."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents, as files, and which rules Spectral knows: its own for OpenAPI."""
    assert NODE_MODULES.is_dir(), "run scripts/test once: it installs the packages that these tests need"
    made = tmp_path_factory.mktemp("documents")
    for name, app in (("shop", shop), ("todo", todo)):
        (made / f"{name}.json").write_text(json.dumps(openapi(app)))
    (made / ".spectral.yaml").write_text("extends: ['spectral:oas']")
    return made


def said_by(script: str, *arguments: str, folder: Path) -> str:
    """What a program of npm says, whatever it ends with."""
    command = ["node", str(NODE_MODULES / script), *arguments]
    environment = {**os.environ, **QUIET}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=4 * SECONDS, check=False
    )
    return ended.stdout


def test_spectral_finds_no_error(folder):
    """Its warnings are of what an application has to say itself: whom to ask, and what each operation is for."""
    script = "@stoplight/spectral-cli/dist/index.js"
    told = json.loads(said_by(script, "lint", "shop.json", "todo.json", "--format", "json", "--quiet", folder=folder))
    assert {one["code"] for one in told} == {"info-contact", "operation-description"}
    assert {one["severity"] for one in told} == {1}


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("todo", {"info-license", "operation-4xx-response"}),
        ("shop", {"info-license", "operation-4xx-response", "no-unused-components"}),
    ],
)
def test_redocly_finds_no_error(folder, name, rules):
    """Its warnings are of a licence, of what has no errors but the usual ones, and of what a stream consists of."""
    report = said_by("@redocly/cli/bin/cli.js", "lint", f"{name}.json", "--format", "json", folder=folder)
    told = json.loads(report)
    assert told["totals"]["errors"] == 0
    assert {one["ruleId"] for one in told["problems"]} == rules


OF_SHOP: list[tuple[str, str, dict[str, Any], int]] = [
    ("post", "/items", {"json": {"name": "Kite", "price": "12.50", "since": "2030-01-31T12:00:00Z"}}, 201),
    ("post", "/items", {"json": {"name": "Kite", "price": 12.5, "colours": ["red"]}}, 201),
    ("get", "/items", {"params": {"limit": "1"}}, 200),
    ("get", f"/items/{ONE}", {}, 200),
    ("get", f"/items/{UUID(int=9)}", {}, 404),
    ("get", f"/items/{ONE}/office/ticks", {"headers": {"Authorization": "Bearer kite"}}, 200),
    ("get", f"/items/{ONE}/office/ticks", {"headers": {"Authorization": "Bearer other"}}, 401),
    ("post", "/desk/order", {"json": {"item_id": str(ONE), "secret": "x"}}, 202),
    ("post", "/desk/finish", {"json": {"kind": "wrap", "layers": 3}}, 200),
    ("post", "/desk/finish", {"json": {"kind": "paint", "colour": "blue"}}, 200),
    ("get", "/desk/picture", {}, 200),
    ("get", "/desk/now", {}, 200),
    ("get", "/desk/whoami", {"headers": {"X-Request-ID": "7"}}, 200),
]
OF_TODO: list[tuple[str, str, dict[str, Any], int]] = [
    ("post", "/todos", {"json": {"title": "Bake a pie", "due": "2030-01-31"}}, 201),
    ("get", "/todos", {"params": {"state": "open"}}, 200),
    ("get", "/todos/1", {}, 200),
    ("patch", "/todos/1", {"json": {"state": "done"}}, 200),
    ("get", "/todos/count", {}, 200),
    ("delete", "/todos/1", {}, 204),
]


@pytest.mark.filterwarnings("ignore:Use of allowEmptyValue")  # it is what is true: OpenAPI advises against such APIs
@pytest.mark.parametrize(("app", "requests"), [(shop, OF_SHOP), (todo, OF_TODO)])
def test_openapi_core_finds_no_error(app, requests):
    """Neither in the document, nor in requests, nor in what comes back."""
    document = OpenAPI.from_dict(openapi(app), config=Config(extra_media_type_deserializers=READ))
    with TestClient(app, headers={"Accept": "application/json"}) as client:
        for verb, path, given, status in requests:
            reply = client.request(verb.upper(), path, **given)
            assert reply.status_code == status
            request = MockRequest(
                "http://localhost",
                verb,
                path,
                args=given.get("params"),
                headers=given.get("headers"),
                data=json.dumps(given["json"]).encode() if "json" in given else None,
            )
            content_type = reply.headers.get("content-type", "").partition(";")[0]
            document.validate_request(request)
            document.validate_response(request, MockResponse(reply.content, reply.status_code, None, content_type))
