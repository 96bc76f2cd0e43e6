"""python-socketio around an application, and inside one, with its real client and a real server."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import socketio  # type: ignore[import-untyped]

from tests.integrations.serving import SECONDS, Server, serving

# python-engineio's client never releases the replies to its POSTs; `connected` collects them within the test.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")

TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}

DATA = [
    pytest.param("plain", id="text"),
    pytest.param({"a": [1, 2.5, None, True], "é": "漢字 😀"}, id="structure"),
    pytest.param("a=1&b=2;c=%41+d", id="looks-like-a-form"),
    pytest.param(b"\x00\xff\r\n--boundary--", id="binary"),
    pytest.param("x" * 500_000, id="large"),
]


@pytest.fixture(scope="module", params=["wrapped", "mounted", "overridden"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with Socket.IO around our app, and with Socket.IO in it, in two ways."""
    with serving(request.param, tmp_path_factory.mktemp("socketio") / "log") as running:
        yield running


@pytest.fixture(params=TRANSPORTS)
def transports(request: pytest.FixtureRequest) -> list[str]:
    """Each way for a client to connect."""
    return TRANSPORTS[request.param]


@asynccontextmanager
async def connected(server: Server, transports: list[str], **options: Any) -> AsyncIterator[Any]:
    """Connect the real client; at the end it asks the server to end the connection.

    Its own `disconnect` would wait until its last long poll runs into the ping's time-out, 45 seconds later.
    """
    client = socketio.AsyncClient(reconnection=False)
    async with asyncio.timeout(SECONDS):
        await client.connect(server.url, transports=transports, wait_timeout=SECONDS, **options)
        yield client
        gone = event(client, "disconnect")
        await client.emit("goodbye")
        await gone
        await client.eio.disconnect(abort=True)
    gc.collect()


def test_the_client_reaches_the_transport_it_wants(server, transports):
    """A client connects by long polling, by WebSocket, and from the one to the other."""

    async def main():
        async with connected(server, transports) as client:
            return client.transport()

    assert asyncio.run(main()) == transports[-1]


@pytest.mark.parametrize("data", DATA)
def test_an_event_is_acknowledged(server, transports, data):
    """What the client sends arrives unchanged and comes back as the acknowledgement."""

    async def main():
        async with connected(server, transports) as client:
            return await client.call("acknowledged", data, timeout=SECONDS)

    assert asyncio.run(main()) == data


@pytest.mark.parametrize("data", DATA)
def test_an_event_is_answered_with_an_event(server, transports, data):
    """What the client sends arrives unchanged and comes back as an event of the server's own."""

    async def main():
        async with connected(server, transports) as client:
            echo = event(client, "echo")
            await client.emit("echoed", data)
            return await echo

    assert asyncio.run(main()) == data


def test_a_handler_speaks_to_every_client(server, transports):
    """An ordinary route broadcasts to the Socket.IO clients."""

    async def main():
        async with connected(server, transports) as one, connected(server, transports) as two:
            news = [event(one, "news"), event(two, "news")]
            async with aiohttp.ClientSession() as session, session.get(f"{server.url}/announce/spring") as reply:
                assert await reply.text() == "announced"
            return await asyncio.gather(*news)

    assert asyncio.run(main()) == ["spring", "spring"]


def test_a_refused_connection_reaches_the_client_as_such(server):
    """Socket.IO's own refusal passes through, with its reason."""

    async def main():
        client = socketio.AsyncClient(reconnection=False)
        refusal = event(client, "connect_error")
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(server.url, auth={"token": "wrong"}, transports=["websocket"], wait_timeout=SECONDS)
        return await refusal

    assert asyncio.run(main()) == {"message": "no entry"}


def test_ordinary_routes_answer_while_clients_wait(server):
    """A client that waits in a long poll holds up nobody."""

    async def main():
        async with connected(server, ["polling"]) as client:
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{server.url}/greet/Ada") as get:
                    greeting = get.status, await get.text()
                async with session.post(f"{server.url}/add", data={"a": "2", "b": "3"}) as post:
                    total = post.status, await post.json()
                async with session.get(f"{server.url}/socket.iota") as missing:
                    nothing = missing.status
            return greeting, total, nothing, await client.call("acknowledged", 1, timeout=SECONDS)

    assert asyncio.run(main()) == ((200, "Hello, Ada!"), (200, {"sum": 5}), 404, 1)


def test_our_websockets_answer_beside_socket_io(server):
    """A WebSocket route of the application stays its own."""

    async def main():
        async with (
            connected(server, ["websocket"]),
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.url}/echo") as ws,
        ):
            await ws.send_str("hi")
            return await ws.receive_str(timeout=SECONDS)

    assert asyncio.run(main()) == "Echo: hi"


def test_the_application_has_started(server):
    """Socket.IO passes the lifespan on."""
    with server.client() as client:
        assert client.get("/started").json() == {"started": True}


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_mounted_socket_io_sees_the_session(tmp_path, transport):
    """The session of a visitor who logged in by HTTP is in the scope of the handshake."""

    async def main(server: Server):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            async with session.get(f"{server.url}/login/ada") as reply:
                assert await reply.text() == "logged in"
            (cookie,) = session.cookie_jar
        headers = {"Cookie": f"{cookie.key}={cookie.value}"}
        async with connected(server, [transport], headers=headers) as client:
            return await client.call("whoami", timeout=SECONDS)

    with serving("mounted", tmp_path / "log") as server:
        assert asyncio.run(main(server)) == "ada"


def event(client: Any, name: str) -> asyncio.Future[Any]:
    """Give the data of the next event of that name."""
    arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    client.on(name, arrived.set_result)
    return arrived
