"""`TestClient`, and the clients that it gives plain functions, whose methods need no `await`.

Plain code runs the event loop itself, in its own thread, for as long as each call takes: a database connection made by
the test may be used by a handler, breakpoints work, tracebacks are whole. Between two calls nothing runs. Threads that
call at the same time share the application's loop, which one of them runs.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any, TypeVar, Unpack

from micropie import ConnectionClosed
from micropie.testing.asgi_types import ASGIApp
from micropie.testing.client import Client
from micropie.testing.client_websocket import ClientWebSocket, WebSocketRefused
from micropie.testing.cookies import Cookies
from micropie.testing.request_options import Handshake, Options, Target
from micropie.testing.response import Headers, Response

T = TypeVar("T")


class Loop:
    """An event loop that runs while somebody waits for a result, of as many clients as are in it.

    Of several threads that wait at the same time one runs it for all; when it has what it waits for, the next one does.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()  # made now, and not by two threads at once
        self._change = threading.Condition()
        self._is_run = False
        self.clients = 0

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and give its result. RuntimeError where an event loop runs already."""
        if _is_running():
            coroutine.close()
            raise RuntimeError("An event loop is running here: take `async_client`, or `async with TestClient(app)`")
        if not self.clients:
            coroutine.close()
            raise RuntimeError("This client is not started, its block is over: with TestClient(app) as client:")
        if self._begin():
            return self._run(coroutine)
        task = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        task.add_done_callback(lambda _: self._tell())
        while not task.done():
            with self._change:
                self._change.wait_for(lambda: task.done() or not self._is_run)
            if not task.done() and self._begin():
                self._run(_ended(task))
        return task.result()

    def _begin(self) -> bool:
        """Become the thread that runs it, unless another one does."""
        with self._change:
            begins, self._is_run = not self._is_run, True
        return begins

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(coroutine)
        finally:
            self._is_run = False
            self._tell()

    def _tell(self) -> None:
        with self._change:
            self._change.notify_all()

    @contextmanager
    def entered(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Enter an asynchronous context manager, as a plain one."""
        value = self.run(_entering(manager))
        try:
            yield value
        except BaseException as error:
            self.run(_leaving(manager, error))
            raise
        self.run(_leaving(manager, None))

    def close(self) -> None:
        """End the loop, with all tasks that still run in it."""
        self._runner.close()


async def _ended(task: concurrent.futures.Future[Any]) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()  # a future would have an exception that nobody takes
    task.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
    await ended.wait()


async def _entering(manager: AbstractAsyncContextManager[T]) -> T:
    return await manager.__aenter__()


async def _leaving(manager: AbstractAsyncContextManager[Any], error: BaseException | None) -> None:
    if error is None:
        await manager.__aexit__(None, None, None)
    else:
        await manager.__aexit__(type(error), error, error.__traceback__)


_loops: dict[int, Loop] = {}  # by the id of the application
_counting = threading.Lock()  # who comes to a loop, and leaves it


@contextmanager
def _loop_of(app: ASGIApp) -> Iterator[Loop]:
    """The event loop of an application's clients, in whatever thread: one of them may wake what another waits for."""
    with _counting:
        loop = _loops[id(app)] = _loops.get(id(app)) or Loop()
        loop.clients += 1
    try:
        yield loop
    finally:
        with _counting:
            loop.clients -= 1
            if not loop.clients:
                del _loops[id(app)]
                loop.close()


class BlockingWebSocket:
    """A `ClientWebSocket` for plain functions; `for message in ws` ends when the application closes.

    `subprotocol` and `headers` are those of its accept.

        with client.websocket("/echo") as ws:
            ws.send_text("Hi")
            assert ws.receive_text() == "Echo: Hi"
    """

    def __init__(self, socket: ClientWebSocket, loop: Loop) -> None:
        self._socket = socket
        self._loop = loop
        self.subprotocol: str | None = socket.subprotocol
        self.headers: Headers = socket.headers

    def send_text(self, data: str) -> None:
        """Send `data` as a text message."""
        self._loop.run(self._socket.send_text(data))

    def send_bytes(self, data: bytes) -> None:
        """Send `data` as a binary message."""
        self._loop.run(self._socket.send_bytes(data))

    def send_json(self, data: Any) -> None:
        """Send the value `data` as JSON in a text message."""
        self._loop.run(self._socket.send_json(data))

    def receive(self) -> str | bytes:
        """The next message: `str` or `bytes`."""
        return self._loop.run(self._socket.receive())

    def receive_text(self) -> str:
        """The next message. TypeError if it is binary."""
        return self._loop.run(self._socket.receive_text())

    def receive_bytes(self) -> bytes:
        """The next message. TypeError if it is text."""
        return self._loop.run(self._socket.receive_bytes())

    def receive_json(self) -> Any:
        """The JSON value of the next message."""
        return self._loop.run(self._socket.receive_json())

    def __iter__(self) -> Iterator[str | bytes]:
        try:
            while True:
                yield self.receive()
        except ConnectionClosed:
            return

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with `code` and `reason`, and wait until the application is done. A second close is silent."""
        self._loop.run(self._socket.close(code, reason))


class BlockingClient:
    """A `TestClient` for plain functions: the same methods, without `await`. `app` and `cookies` are the client's.

    with TestClient(app) as client:
        client.session({"user": "ann"})
        assert client.get("/account").text == "ann"
    """

    def __init__(self, client: Client, loop: Loop) -> None:
        self._client = client
        self._loop = loop
        self.app: ASGIApp = client.app
        self.cookies: Cookies = client.cookies

    @property
    def state(self) -> dict[str, Any]:
        """The lifespan's state, of which every request gets a copy."""
        return self._client.state

    def get(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a GET of `target` with its `args` and `options`; see `request`."""
        return self.request("GET", target, *args, **options)

    def head(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a HEAD of `target` with its `args` and `options`; see `request`."""
        return self.request("HEAD", target, *args, **options)

    def options(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to an OPTIONS of `target` with its `args` and `options`; see `request`."""
        return self.request("OPTIONS", target, *args, **options)

    def post(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a POST of `target` with its `args` and `options`; see `request`."""
        return self.request("POST", target, *args, **options)

    def put(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a PUT of `target` with its `args` and `options`; see `request`."""
        return self.request("PUT", target, *args, **options)

    def patch(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a PATCH of `target` with its `args` and `options`; see `request`."""
        return self.request("PATCH", target, *args, **options)

    def delete(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a DELETE of `target` with its `args` and `options`; see `request`."""
        return self.request("DELETE", target, *args, **options)

    def request(self, method: str, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The whole reply to `method`. `target` is a path, a URL, or a handler, whose `args` go to `url_for`.

        `options` are:

        - `params`: fields of the query; a list repeats its field, None leaves it out; handlers' `args` by name.
        - `headers`, `cookies`: for this request; headers take the place of the client's.
        - `json`, `data`, `content`: the body as a value, as the fields of a form, or as `bytes`, `str`, a `Path` or an
          iterator of bytes, sync or async, which is sent in chunks. `json=None` is `null`.
        - `files`: a multipart form, with `data` as its fields: `{"file": content}`, `(name, content)`, `(name, content,
          type)`, or a list of them; `content` is `bytes`, `str`, a `Path` or an open file.
        - `follow_redirects`, `timeout`: for this request; at most 20 redirects, none to other hosts.

        TypeError for any other.

            response = client.request("PATCH", "/pies/3", json={"slices": 8})
            response = client.get(app.pie, 3)
        """
        response = self._loop.run(self._client.request(method, target, *args, **options))
        response.read_by(self._loop.run)
        return response

    @contextmanager
    def stream(self, method: str, target: Target, /, *args: Any, **options: Unpack[Options]) -> Iterator[Response]:
        """The reply as soon as it starts, to be read while it is made. Leaving the block is the client's leaving.

        `method`, `target`, `args` and `options` are those of `request`.

            with client.stream("GET", "/events") as response:
                for line in response.iter_lines():
                    print(line)
        """
        with self._loop.entered(self._client.stream(method, target, *args, **options)) as response:
            response.read_by(self._loop.run)
            yield response

    @contextmanager
    def websocket(
        self, target: Target, /, *args: Any, subprotocols: Iterable[str] = (), **options: Unpack[Handshake]
    ) -> Iterator[BlockingWebSocket]:
        """A connection, when it is accepted; WebSocketRefused if it is not. Leaving the block closes it with 1000.

        `target` and `args` are those of `request`, and of its `options` there are `params`, `headers`, `cookies` and
        `timeout`. `subprotocols` are what the client offers.

            with client.websocket("/chat", subprotocols=["chat.v2"]) as ws:
                ws.send_json({"text": "Hi"})
        """
        connection = self._client.websocket(target, *args, subprotocols=subprotocols, **options)
        try:
            with self._loop.entered(connection) as socket:
                yield BlockingWebSocket(socket, self._loop)
        except WebSocketRefused as refused:
            if refused.response is not None:
                refused.response.read_by(self._loop.run)
            raise

    def session(self, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A copy of the visitor's session, after `data` was added to it: `client.session({"user": "ann"})`."""
        return self._loop.run(self._client.session(data))


class TestClient(Client):
    """Talks to an application in the caller's event loop. The block starts the application, and stops it.

    `app` is any ASGI application. What a handler raises is raised here too, and so is every illegal ASGI message, as
    `ProtocolError`. Cookies stay with the client, in `cookies`, a `Cookies`; `headers` are sent with each request;
    `client` is the address from which they come, None for none. `follow_redirects` and `timeout` (seconds, for each
    wait; None: for ever) can also be said for one request. With `raise_exceptions=False` an exception is the 500 that
    clients see. A path in `base_url` is the `root_path` at which the application stands. `provide` has values in place
    of what providers make, by their classes or the annotations that they stand in; a function there is called with the
    request.

        async with TestClient(app) as client:
            response = await client.get("/pies", params={"kind": "apple"})

        with TestClient(app) as client:                # a BlockingClient
            response = client.get("/pies", params={"kind": "apple"})
    """

    __test__ = False  # pytest takes it for tests otherwise
    _stack: ExitStack

    def __enter__(self) -> BlockingClient:
        if _is_running():
            raise RuntimeError("An event loop is running here: use `async with TestClient(app) as client:`")
        with ExitStack() as stack:
            loop = stack.enter_context(_loop_of(self.app))
            stack.enter_context(loop.entered(self))
            self._stack = stack.pop_all()
        return BlockingClient(self, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
