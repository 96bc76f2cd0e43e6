"""Private parts where a test through the front door would be clumsy."""

import ast
import asyncio
import datetime as dt
import json
import sys
import threading
import time
from decimal import Decimal

import attrs
import jinja2
import msgspec
import pydantic
import pytest

from micropie import App, SessionBackend
from micropie.core.basics import core_schemas, json_codec, optional
from micropie.core.requests import body_stream
from micropie.core.requests.limits import Limits
from micropie.core.requests.multipart import MultipartForm
from micropie.core.requests.uploaded_file import Replacement, Spool
from micropie.core.sessions import writer
from micropie.core.templates import lean_code
from tests.client import http


class Celsius(float):
    """A float by another name."""


class Point(msgspec.Struct):
    x: int
    y: int


class Pie(pydantic.BaseModel):
    kind: str
    price: Decimal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Point(1, 2), '{"x":1,"y":2}'),
        ([Point(1, 2)], '[{"x":1,"y":2}]'),
        (Pie(kind="plum", price=Decimal("2.50")), '{"kind":"plum","price":"2.50"}'),
        (Celsius(1.5), "1.5"),
        ({"t": Celsius("nan"), "big": 2**70}, '{"t":null,"big":1180591620717411303424}'),
        ({"p": Pie(kind="plum", price=Decimal(1)), "x": float("nan")}, '{"p":{"kind":"plum","price":"1"},"x":null}'),
    ],
)
@pytest.mark.parametrize("with_orjson", [True, False])
def test_records_of_other_packages_are_json(value, text, with_orjson, monkeypatch):
    """Structs, models and subclasses of float are JSON, with orjson and without."""
    if not with_orjson:
        monkeypatch.setattr(json_codec, "_json_encode", json_codec._stdlib_encode)
    assert json_codec.dumps(value).decode() == text
    json.loads(text)


def test_the_turns_at_a_session_are_forgotten():
    """When nobody changes a session any more, nothing is kept of whose turn it was."""

    class Files(SessionBackend):
        def __init__(self):
            self.files = {}

        async def load(self, session_id):
            return dict(self.files.get(session_id, {}))

        async def save(self, session_id, data, timeout):
            self.files[session_id] = data

    class Counting(App):
        async def index(self):
            self.request.session["n"] = self.request.session.get("n", 0) + 1
            return ""

    backend = Files()
    app = Counting(backend)
    cookies: dict[str, str] = {}
    for _ in range(3):
        cookies = http(app, cookies=cookies).cookies or cookies
    assert backend.files[cookies["session_id"]] == {"n": 3}
    assert writer._turns[backend]._turns == {}


def test_a_spool_that_was_given_up_keeps_nothing():
    """A thread that still writes for a cancelled request opens no new file."""
    spool = Spool()
    spool.abandon()
    assert asyncio.run(spool.write(b"late")) == range(0)


def test_a_queue_counts_its_items():
    """The chunks that can be read at once, the end included."""

    async def main():
        form = MultipartForm(Limits(10, 10, 10, None, None))

        async def body():
            yield b'--B\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\nDATA\r\n--B--\r\n'

        await form.read(body(), "B")
        queue = form.files["f"].queue
        return queue.qsize(), await queue.get(), queue.qsize(), await queue.get(), await queue.get()

    assert asyncio.run(main()) == (2, b"DATA", 1, None, None)


def test_an_environment_of_ones_own_renders_as_it_is_set():
    """A synchronous jinja2.Environment is used as it stands."""
    environment = jinja2.Environment(loader=jinja2.DictLoader({"a.txt": "{{ x }}"}))

    class Page(App):
        async def index(self):
            return await self._render_template("a.txt", x="<b>")

    assert http(Page(templates=environment)).text == "<b>"


def test_waiting_for_a_body_leaves_nothing_behind():
    """Loops that are gone are forgotten, and a loop that waits for nobody any more is not looked at."""

    async def upload(pause: float) -> int:
        async def receive() -> dict[str, object]:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": b"", "more_body": False}

        await anext(body_stream.BodyStream(receive, None, None, 5).chunks(), b"")
        waiting = len(body_stream._waits)
        await asyncio.sleep(pause)
        return waiting

    assert [asyncio.run(upload(0)), asyncio.run(upload(3 * body_stream.TICK))] == [1, 1]
    assert body_stream._waits == {}


def test_an_outer_cancellation_is_no_time_out():
    """A task that is cancelled in the moment in which its body's time is over ends as cancelled."""

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        reading = asyncio.ensure_future(anext(body_stream.BodyStream(receive, None, None, 60).chunks()))
        await asyncio.sleep(0)
        [wait] = body_stream._waits[asyncio.get_running_loop()]
        wait.over = wait.future.cancel()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(main())


def test_one_template_at_a_time_is_compiled(monkeypatch):
    """Two threads that make a tree at the same time may get a SystemError from CPython 3.11."""
    inside: list[str] = []
    most = 0

    def tree(source: str) -> ast.Module:
        nonlocal most
        inside.append(source)
        most = max(most, len(inside))
        time.sleep(0.02)
        inside.remove(source)
        return ast.parse(source)

    monkeypatch.setattr(lean_code, "_lean_tree", tree)
    threads = [threading.Thread(target=lean_code.compile_lean, args=(f"x = {n}", "page.html")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1


def test_attrs_classes_need_no_msgspec(monkeypatch, caplog):
    """They are taken and shown without it."""

    @attrs.define
    class Slice:
        kind: str

    class Pies(App):
        async def index(self, it: Slice) -> list[Slice]:
            return [it]

    optional.lazy_import.cache_clear()
    monkeypatch.setitem(sys.modules, "msgspec", None)
    app = Pies()
    assert caplog.text == ""
    assert http(app, "POST", json={"kind": "plum"}).json() == [{"kind": "plum"}]


def test_lists_of_models_end_in_models_too():
    """Lists of anything else do not."""

    class Inner(pydantic.BaseModel):
        a: int = 0

    class Outer(pydantic.BaseModel):
        many: list[Inner] = []
        numbers: list[int] = []

    limited = core_schemas.validator(core_schemas.failing_fast(dict(Outer.__pydantic_core_schema__), 3))
    assert limited.validate_python({"many": [{}] * 3, "numbers": [1] * 4}).numbers == [1] * 4
    with pytest.raises(pydantic.ValidationError, match="at most 3 items"):
        limited.validate_python({"many": [{}] * 4})


def test_plain_json_is_told_from_other_values_without_orjson(monkeypatch):
    """What JSON is made of has a form; dates, half characters and the like have none."""
    monkeypatch.setattr(json_codec, "_json_encode", json_codec._stdlib_encode)
    assert json_codec.plain_json({"a": [1, "é", None, 1.5]}) == '{"a":[1,"é",null,1.5]}'.encode()
    for value in (dt.date(2024, 1, 1), ["\ud800"], {"a": Decimal(1)}):
        with pytest.raises(TypeError):
            json_codec.plain_json(value)


def test_whichever_comes_first_finds_the_json_codec():
    """Reading and writing both may be what a process does first."""
    assert json_codec._first_decode(b"[1]") == [1]
    assert json_codec._first_encode([1], json_codec.jsonable, 0) == b"[1]"


def test_a_file_that_was_kept_is_not_given_up(tmp_path):
    """Whoever gives it up afterwards changes nothing."""
    replacement = Replacement(tmp_path / "file")
    replacement.write(b"all")
    replacement.keep()
    replacement.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
