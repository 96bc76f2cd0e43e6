"""examples/socketio: two pages that chat, two that call each other, and Python's client."""

import asyncio
import gc
from contextlib import ExitStack, asynccontextmanager

import httpx
import pytest
import socketio  # type: ignore[import-untyped]
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.batteries.redis_server import running_redis
from tests.examples.served import served, visiting
from tests.servers.serving import PATIENCE

# python-engineio's client never releases the replies to its POSTs.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")

FAKE_CAMERA = (
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The example."""
    with served("socketio", tmp_path_factory.mktemp("socketio")) as running:
        yield running


def test_pages_chat_and_call(server):
    """Two visitors talk in a room, whom a route speaks to as well; then they see each other."""
    with launched(*FAKE_CAMERA) as browser:
        # A page that is left while its socket opens says so. A poll is a 400 if its session is upgraded by then.
        but = "WebSocket is closed before the connection is established", "transport=polling"
        with visiting(browser, server, but=but) as ann, visiting(browser, server, but=but) as bob:
            for page, name in ((ann, "Ann"), (bob, "Bob")):
                expect(page.get_by_role("status")).to_have_text("Say your name first")
                page.get_by_label("Name").fill(name)
                page.get_by_role("button", name="Log in").click()
                expect(page.get_by_role("status")).to_have_text("connected")
                page.get_by_role("button", name="Join").click()
                expect(page.get_by_role("listitem").last).to_have_text(f"{name} is here")
            ann.get_by_label("Message").fill("<b>Hello")
            ann.keyboard.press("Enter")
            expect(bob.get_by_role("listitem").last).to_have_text("Ann<b>Hello")
            httpx.post(f"{server.url}/announce", data={"text": "Hot!", "room": "kitchen"}, trust_env=False)
            for page in (ann, bob):
                expect(page.get_by_role("listitem").last).to_have_text("Hot!")
            bob.close()
            expect(ann.get_by_role("listitem").last).to_have_text("Bob has left")
        with visiting(browser, server, "/call") as ann, visiting(browser, server, "/call") as bob:
            for page in (ann, bob):
                page.get_by_role("button").click()
                expect(page.get_by_role("status")).not_to_have_text("Open this page twice")
            for page in (ann, bob):
                expect(page.get_by_role("status")).to_have_text("connected")
                page.wait_for_function("document.querySelector('#theirs').videoWidth > 0")
            bob.close()
            expect(ann.get_by_role("status")).to_have_text("The other one has left")


@asynccontextmanager
async def connected(server, name, namespace="/chat"):
    """A client that has logged in."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as visitor:
        await visitor.post("/login", data={"name": name})
    headers = {"Cookie": f"session_id={visitor.cookies['session_id']}"}
    client = socketio.AsyncClient(reconnection=False)
    async with asyncio.timeout(PATIENCE):
        await client.connect(server.url, headers=headers, namespaces=[namespace], transports=["websocket"])
        yield client
        await client.disconnect()
    gc.collect()


def ask(server, *calls, namespace="/chat"):
    """What the server acknowledges to a client that has logged in, call by call."""

    async def main():
        async with connected(server, "Ann", namespace) as client:
            return [await client.call(event, data, namespace=namespace) for event, data in calls]

    return asyncio.run(main())


def test_what_is_no_room_or_text_is_refused(server):
    """In the acknowledgement; nobody hears of it."""
    answers = ask(server, ("say", "Hi"), ("join", ""), ("join", 7), ("join", "cellar"), ("say", " "), ("say", "Hi"))
    assert ["error" in answer for answer in answers] == [True, True, True, False, True, False]
    assert answers[-1] == {"said": "Hi"}


def test_a_call_is_for_two(server):
    """The first waits, the second calls, a third does not fit in; one who comes back is a second one again."""
    assert ask(server, ("join", "attic"), namespace="/call") == [{"offers": False}]
    assert ask(server, ("join", "attic"), namespace="/call") == [{"offers": False}]
    assert "error" in ask(server, ("join", ""), namespace="/call")[0]

    async def main():
        clients = [socketio.AsyncClient(reconnection=False) for _ in range(3)]
        answers = []
        async with asyncio.timeout(PATIENCE):
            for client in clients:
                await client.connect(server.url, namespaces=["/call"], transports=["websocket"])
                answers.append(await client.call("join", "attic", namespace="/call"))
            for client in clients:
                await client.disconnect()
        gc.collect()
        return answers

    assert asyncio.run(main()) == [{"offers": False}, {"offers": True}, {"error": "Nobody else fits in"}]


def test_two_servers_share_their_rooms(tmp_path):
    """By Redis: what is said on one is heard on the other."""
    with running_redis(tmp_path) as redis, ExitStack() as stack:
        servers = []
        for name in "ab":
            (tmp_path / name).mkdir()
            servers.append(stack.enter_context(served("socketio", tmp_path / name, REDIS_URL=redis.url)))

        async def main():
            heard = asyncio.get_running_loop().create_future()
            async with connected(servers[0], "Ann") as ann, connected(servers[1], "Bob") as bob:
                bob.on("said", heard.set_result, namespace="/chat")
                for client in (ann, bob):
                    await client.call("join", "kitchen", namespace="/chat")
                await ann.call("say", "Hi", namespace="/chat")
                return await heard

        assert asyncio.run(main()) == {"name": "Ann", "text": "Hi"}


def test_a_name_is_wanted(server):
    """Without one nobody logs in."""
    assert httpx.post(f"{server.url}/login", data={"name": " "}, trust_env=False).status_code == 400
