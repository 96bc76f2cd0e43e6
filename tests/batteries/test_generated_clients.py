"""Clients that three generators make of our documents call the running applications."""

import datetime
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from tests.integrations.serving import SECONDS, Server, serving

SCRIPTS = Path(sys.executable).parent
NODE_MODULES = Path(sys.prefix) / "node" / "node_modules"
CALLS = Path(__file__).with_name("typescript")

SHOP, TODO = "tests.batteries.generated:app", "examples.todo_api.app:app"


def run(*command: str | Path, folder: Path) -> str:
    """Run a command, which succeeds, and give what it says."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


# -- Python -------------------------------------------------------------------------------------------


class Python:
    """A package that openapi-python-client has made, with a client of the server."""

    def __init__(self, name: str, server: Server) -> None:
        self._name = name
        self._server = server
        self.models: Any = importlib.import_module(f"{name}.models")
        self.types: Any = importlib.import_module(f"{name}.types")

    def call(self, handler: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a handler by its name in the tree; its status, and what the client makes of the body."""
        reply = self.reply(handler, *arguments, **keywords)
        return reply.status_code, reply.parsed

    def reply(self, handler: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a handler; the reply as it came."""
        tag = handler.split(".")[-2]
        module: Any = importlib.import_module(f"{self._name}.api.{tag}.{handler.replace('.', '_')}")
        package: ModuleType = importlib.import_module(self._name)
        known = {"token": "kite"} if "AuthenticatedClient" in vars(module) and tag == "office" else {}
        make: Any = package.AuthenticatedClient if known else package.Client
        with make(base_url=self._server.url, headers={"Accept": "application/json"}, **known) as client:
            return module.sync_detailed(*arguments, client=client, **keywords)


def made_by_python(name: str, application: str, folder: Path) -> Iterator[Python]:
    """Serve an application, generate a package of its document, which is forgotten in the end.

    Whatever the generator leaves out is a failure.
    """
    with serving(application, folder / "log") as server:
        url = f"{server.url}/openapi.json"
        options = ("--meta", "none", "--output-path", folder / name, "--fail-on-warning")
        run(SCRIPTS / "openapi-python-client", "generate", "--url", url, *options, folder=folder)
        sys.path.insert(0, str(folder))
        yield Python(name, server)
        sys.path.remove(str(folder))
    for module in [one for one in sys.modules if one.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.fixture(scope="module")
def shop_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Python]:
    """The package for the rich application."""
    yield from made_by_python("shop_client", SHOP, tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="module")
def todo_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Python]:
    """The package for the example."""
    yield from made_by_python("todo_client", TODO, tmp_path_factory.mktemp("python"))


def test_python_lives_the_life_of_a_todo(todo_client):
    """Add, list, replace, change, count, remove: each reply is an object of the client's."""
    models = todo_client.models
    day = datetime.date(2030, 1, 31)
    status, added = todo_client.call("todos.post", body=models.Draft(title="Bake a pie", due=day))
    assert (status, added.title, added.state, added.due) == (201, "Bake a pie", models.State.OPEN, day)
    assert todo_client.call("todos.get", added.id) == (200, added)
    listed = todo_client.call("todos.index", state=models.State.OPEN, before=datetime.date(2030, 2, 1))
    assert listed == (200, [added])
    status, replaced = todo_client.call("todos.put", added.id, body=models.Draft(title="Eat it"))
    assert (status, replaced.title, replaced.due) == (200, "Eat it", None)
    status, changed = todo_client.call("todos.patch", added.id, body=models.Change(state=models.State.DONE))
    assert (status, changed.title, changed.state) == (200, "Eat it", models.State.DONE)
    status, count = todo_client.call("todos.count")
    assert (status, count.to_dict()) == (200, {"open": 0, "done": 1})
    assert todo_client.call("todos.delete", added.id) == (204, None)


def test_python_has_records_generic_ones_and_their_types(shop_client):
    """A Decimal as text, times with a zone, lists in the query, a page of items."""
    models = shop_client.models
    since = datetime.datetime(2030, 1, 31, 12, tzinfo=datetime.UTC)
    draft = models.Draft(name="Kite", price="12.50", colours=[models.Colour.RED], since=since)
    status, item = shop_client.call("items.post", body=draft)
    assert (status, item.id, item.price, item.since) == (201, UUID(int=1), "12.50", since)
    status, page = shop_client.call("items.index", colours=[models.Colour.RED, models.Colour.BLUE], most="20")
    assert (status, page.items, page.total) == (200, [item], 1)
    assert shop_client.call("items.index", limit=1, most="1.5") == (200, models.PageItem(items=[], total=0))
    assert shop_client.call("items.delete", UUID(int=2)) == (204, None)


def test_python_has_both_meanings_of_a_model(shop_client):
    """What it sends has the secret, what it gets the label."""
    models = shop_client.models
    status, order = shop_client.call("desk.order", body=models.OrderInput(item_id=UUID(int=1), secret="x"))
    assert (status, order) == (202, models.Order(item_id=UUID(int=1), count=1, label=f"1 of {UUID(int=1)}"))


def test_python_tells_the_members_of_a_union(shop_client):
    """By their tags."""
    models = shop_client.models
    paint = models.Paint(kind=models.PaintKind.PAINT, colour=models.Colour.BLUE)
    assert shop_client.call("desk.finish", body=paint) == (200, paint)
    status, wrap = shop_client.call("desk.finish", body=models.WrapInput(kind=models.WrapInputKind.WRAP, layers=3))
    assert (status, wrap) == (200, models.Wrap(kind=models.WrapKind.WRAP, layers=3, note=None))


def test_python_sends_forms_files_and_bytes(shop_client):
    """As the handlers say."""
    models, types = shop_client.models, shop_client.types
    status, said = shop_client.call("desk.login", body=models.DeskLoginBody("ann", "secret", remember=True))
    assert (status, said.to_dict()) == (200, {"ann": True})
    with (CALLS / "calls.ts").open("rb") as file:
        size = len(file.read())
        file.seek(0)
        body = models.DeskAttachBody(picture=types.File(payload=file, file_name="a.ts"), title="Calls")
        status, said = shop_client.call("desk.attach", body=body)
    assert (status, said.to_dict()) == (200, {"Calls, a.ts": size})


def test_python_reads_bytes_streams_and_times(shop_client):
    """A file, a text of events, a time with a zone and one without."""
    status, picture = shop_client.call("desk.picture")
    assert (status, picture.payload.read()) == (200, b"\x89PNG\r\n\x1a\n\x00\xff")
    assert shop_client.reply("desk.news").content == b"data: one\n\ndata: two\n\n"
    noon = datetime.datetime(2030, 1, 31, 12)  # noqa: DTZ001 - a naive one
    assert shop_client.call("desk.now") == (200, noon.replace(tzinfo=datetime.UTC))
    assert shop_client.call("desk.now", zone=False) == (200, noon)


def test_python_says_who_it_is_and_reads_a_stream(shop_client):
    """As the guard of the branch wants it; objects are lines."""
    lines = shop_client.reply("items.office.ticks", UUID(int=1), count=2).content.splitlines()
    assert [json.loads(line) for line in lines] == [{"item_id": str(UUID(int=1)), "number": n} for n in (0, 1)]
    status, problem = shop_client.call("items.office.ticks", UUID(int=1), count=10)
    assert (status, problem.title) == (409, "Conflict")


def test_python_is_told_what_is_wrong(shop_client):
    """The faults of a request, as an object."""
    models = shop_client.models
    status, problem = shop_client.call("items.post", body=models.Draft(name="x" * 21, price="1"))
    assert (status, problem.status, problem.title) == (400, 400, "Bad Request")
    assert [(fault.in_, fault.name) for fault in problem.errors] == [(models.ProblemErrorsItemIn.BODY, "name")]


# -- TypeScript ---------------------------------------------------------------------------------------


def made_by_typescript(name: str, server: Server, folder: Path) -> None:
    """Generate the types of a document."""
    # A default says what the server takes for a member that is left out, not that it must be sent.
    options = ("--output", f"{name}.d.ts", "--default-non-nullable=false")
    run(
        "node",
        NODE_MODULES / "openapi-typescript" / "bin" / "cli.js",
        f"{server.url}/openapi.json",
        *options,
        folder=folder,
    )


def made_by_hey_api(servers: dict[str, Server], folder: Path) -> None:
    """Generate functions and types of documents."""
    jobs = [
        {"input": f"{server.url}/openapi.json", "output": {"path": f"sdk/{name}", "module": {"extension": ".js"}}}
        for name, server in servers.items()
    ]
    (folder / "openapi-ts.config.mjs").write_text(f"export default {json.dumps(jobs)};")
    run("node", NODE_MODULES / "@hey-api" / "openapi-ts" / "bin" / "run.js", folder=folder)


class Typescript(NamedTuple):
    """What the calls by two kinds of client print."""

    by_types: list[Any]
    by_functions: list[Any]


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Typescript:
    """What the calls print, which are compiled with the generated types before."""
    assert NODE_MODULES.is_dir(), "run scripts/test once: it installs the packages that these tests need"
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    for name in ("calls.ts", "sdk.ts"):
        (folder / name).write_text((CALLS / name).read_text())
    options = ("--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable")
    with serving(TODO, folder / "todo.log") as todo, serving(SHOP, folder / "shop.log") as shop:
        made_by_typescript("todo", todo, folder)
        made_by_typescript("shop", shop, folder)
        made_by_hey_api({"todo": todo, "shop": shop}, folder)
        run("node", NODE_MODULES / "typescript" / "bin" / "tsc", *options, "calls.ts", "sdk.ts", folder=folder)
        printed = [run("node", name, todo.url, shop.url, folder=folder) for name in ("calls.js", "sdk.js")]
    return Typescript(*map(json.loads, printed))


@pytest.fixture(scope="module")
def answers(typescript: Typescript) -> list[Any]:
    """What the calls by the types of openapi-typescript print."""
    return typescript.by_types


def test_typescript_lives_the_life_of_a_todo(answers):
    """By the types of its document."""
    added, listed, replaced, changed, count, removed = answers[0]
    assert added == {"title": "Bake a pie", "state": "open", "due": "2030-01-31", "id": added["id"]}
    assert listed == [added]
    assert replaced == {**added, "title": "Eat it", "due": None}
    assert changed == {**replaced, "state": "done"}
    assert (count, removed) == ({"open": 0, "done": 1}, 204)


def test_typescript_has_records_and_generic_ones(answers):
    """A Decimal as a number or text, lists in the query, a page of items."""
    status, item, total, price = answers[1]
    assert (status, item["name"], item["since"], total, price) == (
        201,
        "Kite",
        "2030-01-31T12:00:00Z",
        True,
        "12.5",
    )


def test_typescript_tells_bodies_from_replies_and_members_of_a_union(answers):
    """The label is there, a wrap has layers."""
    assert answers[2] == [202, f"1 of {UUID(int=1)}", 3]


def test_typescript_sends_forms_files_and_bytes(answers):
    """As the handlers say."""
    assert answers[3] == [{"ann": True}, {"Five, five.txt": 5}, {"size": 5}]


def test_typescript_reads_bytes_streams_and_problems(answers):
    """Each of its own type."""
    assert answers[4] == [10, "data: one\n\ndata: two\n\n", "2030-01-31T12:00:00Z", 400, "name"]


# -- functions in TypeScript --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_functions(typescript: Typescript) -> list[Any]:
    """What the calls by the functions of @hey-api/openapi-ts print."""
    return typescript.by_functions


def test_functions_live_the_life_of_a_todo(by_functions):
    """Add, list, change, remove; then it is gone."""
    assert by_functions[0] == ["Bake a pie", 1, "done", 204, 404]


def test_functions_have_records_and_problems(by_functions):
    """A Decimal is text, a list stands in the query, faults have names."""
    assert by_functions[1] == ["12.50", "12.5", 400, "name"]


def test_functions_send_unions_forms_and_files(by_functions):
    """A wrap has layers; the name of a file is that of a Blob."""
    assert by_functions[2] == [3, {"ann": True}, {"Five, blob": 5}]


def test_functions_say_who_they_are_and_read_events(by_functions):
    """By the scheme of a guard's provider; each event is an object."""
    assert by_functions[3] == [{"item_id": str(UUID(int=1)), "number": number} for number in (0, 1)]
