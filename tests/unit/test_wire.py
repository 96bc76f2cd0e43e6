"""The drivers themselves: what is legal passes, what is illegal or left behind is caught."""

import asyncio
from typing import Any

import pytest

from tests.wire import UNSET, awire, lifespan, lifespan_messages, running, websocket, wire

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"hi"}


def replying(*messages):
    """Give an app that sends these messages, whatever it is asked."""

    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    return app


async def echo(scope, receive, send):
    """Answer with the body, one chunk for each message of the request."""
    await send({"type": "http.response.start", "status": 201, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def scope_of(**keywords):
    """Give the scope that the driver makes of these keywords."""
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)
        await replying(START, BODY)(scope, receive, send)

    wire(app, **keywords)
    return seen


def headers_of(**keywords):
    """Give the request's headers as a dict."""
    return dict(scope_of(**keywords)["headers"])


def test_answer_reads_a_reply():
    """Status, headers and body are there in every form."""
    start = START | {"headers": [(b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2"), (b"x", b"y")]}
    answer = wire(replying(start, BODY | {"body": b"[1", "more_body": True}, BODY | {"body": b"]"}))
    assert answer.status_code == 200
    assert answer.headers.multi_items() == [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2"), ("x", "y")]
    assert answer.headers.get_list("Set-Cookie") == ["a=1; Path=/", "b=2"]
    assert answer.cookies == {"a": "1", "b": "2"}
    assert (answer.chunks, answer.content, answer.text, answer.json()) == ([b"[1", b"]"], b"[1]", "[1]", [1])
    assert answer.is_complete


def test_scope_has_the_path_decoded_and_raw():
    """The path arrives percent-decoded, and raw beside it."""
    scope = scope_of(path="/a%2Fb/ü", query="x=1&y=%20", method="get")
    assert scope["path"] == "/a/b/ü"
    assert scope["raw_path"] == b"/a%2Fb/%C3%BC"
    assert (scope["query_string"], scope["method"]) == (b"x=1&y=%20", "GET")
    assert dict(scope["headers"]) == {b"host": b"testserver"}


def test_scope_entries_can_be_replaced():
    """`scope` has the last word."""
    assert scope_of(scope={"root_path": "/mount", "state": {"a": 1}})["root_path"] == "/mount"


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"json": None}, {b"content-type": b"application/json", b"content-length": b"4"}),
        ({"form": {"a": [1, 2]}}, {b"content-type": b"application/x-www-form-urlencoded", b"content-length": b"7"}),
        ({"body": [b"ab", b"c"]}, {b"content-length": b"3"}),
        ({"body": iter([b"ab"])}, {b"transfer-encoding": b"chunked"}),
        ({"body": b"ab", "headers": [("Content-Length", "9")]}, {b"content-length": b"9"}),
        ({"method": "POST"}, {b"content-length": b"0"}),
        ({"json": UNSET, "cookies": {"a": "1", "b": "2"}}, {b"cookie": b"a=1; b=2"}),
    ],
)
def test_headers_describe_the_request(keywords, expected):
    """The driver adds the headers that a client would send, unless the test gave them."""
    assert headers_of(**keywords) == {b"host": b"testserver"} | expected


async def slowly():
    """Give two parts with turns of the loop between them."""
    yield b"ab"
    await asyncio.sleep(0)
    yield b"c"


@pytest.mark.parametrize(
    ("body", "chunks"),
    [
        (b"", [b""]),
        (b"abc", [b"abc"]),
        ([b"ab", b"", b"c"], [b"ab", b"", b"c"]),
        (iter([b"ab", b"c"]), [b"ab", b"c"]),
        ([], [b""]),
    ],
)
def test_body_arrives_in_the_parts_given(body, chunks):
    """One http.request message for each part of the body."""
    answer = wire(echo, "POST", body=body)
    assert (answer.status_code, answer.chunks) == (201, chunks)


def test_async_body_arrives_as_it_is_made():
    """An async body ends with an empty part, since its end is not known before."""
    assert wire(echo, "POST", body=slowly()).chunks == [b"ab", b"c", b""]


def test_cancelled_receive_loses_nothing_of_an_async_body():
    """An app that gives up waiting, and asks again, gets the part that came late."""

    async def late():
        await asyncio.sleep(0.05)
        yield b"late"

    async def app(scope, receive, send):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.001)
        await echo(scope, receive, send)

    assert wire(app, "POST", body=late()).content == b"late"


def test_disconnect_follows_the_reply():
    """After the body, `receive` waits for the end of the reply and then tells of the client's leaving."""

    async def app(scope, receive, send):
        await receive()
        waiting = asyncio.create_task(receive())
        await send(START)
        await asyncio.sleep(0)
        assert not waiting.done()
        await send(BODY)
        assert await waiting == {"type": "http.disconnect"}
        assert await receive() == {"type": "http.disconnect"}

    assert wire(app).text == "hi"


def test_disconnect_cuts_the_body_off():
    """With `disconnect` the last part promises more, and the client is gone; no reply is needed."""
    seen = []

    async def app(scope, receive, send):
        seen.extend([await receive(), await receive(), await receive(), await receive()])

    answer = wire(app, "POST", body=[b"a", b"b"], disconnect=True)
    assert not answer.started
    assert [message.get("more_body") for message in seen] == [True, True, None, None]
    assert seen[2]["type"] == "http.disconnect"


def test_disconnect_cuts_an_async_body_off():
    """The same, with a body made on the way."""
    seen = []

    async def app(scope, receive, send):
        seen.extend([await receive(), await receive(), await receive(), await receive()])

    wire(app, "POST", body=slowly(), disconnect=True)
    assert [message["type"] for message in seen] == ["http.request"] * 2 + ["http.disconnect"] * 2


def test_client_leaves_in_mid_reply():
    """With `leave_after` the client goes when it has that many body messages."""

    async def app(scope, receive, send):
        await receive()
        await send(START)
        await send(BODY | {"more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    answer = wire(app, leave_after=1)
    assert (answer.content, answer.is_complete) == (b"hi", False)


def test_send_fails_once_the_client_has_left():
    """With `send_fails` the server says by an OSError that nobody listens."""

    async def app(scope, receive, send):
        await send(START)

    assert isinstance(wire(app, leave_after=0, send_fails=True, raises=OSError).error, OSError)


def test_swallowed_violation_is_refused():
    """An app cannot hide a violation by ending well after it."""
    with pytest.raises(AssertionError, match=r"before http\.response\.start"):
        wire(replying(BODY, START, BODY))


def test_headers_are_taken_as_they_were_sent():
    """What the app does with its list afterwards changes nothing, and any iterable will do."""
    pairs = [(b"a", b"b")]

    async def app(scope, receive, send):
        await send(START | {"headers": iter(pairs)})
        pairs.clear()
        await send(BODY)

    assert wire(app).headers.multi_items() == [("a", "b")]


async def failing(scope, receive, send):
    """Begin a reply and fail."""
    await send(START)
    raise ValueError("broken")


def test_escaped_exception_is_refused():
    """No exception leaves an app unless the test says so."""
    with pytest.raises(AssertionError, match="escaped the app: ValueError"):
        wire(failing)


def test_expected_exception_is_given():
    """With `raises` the reply may be unfinished, and the exception is in the answer."""
    answer = wire(failing, raises=ValueError)
    assert (answer.status_code, str(answer.error)) == (200, "broken")


def test_missing_exception_is_refused():
    """An app that does not raise what it should has failed."""
    with pytest.raises(AssertionError, match="did not raise"):
        wire(replying(START, BODY), raises=ValueError)


def test_hung_app_is_refused():
    """An app that never ends is cancelled."""

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="did not end within"):
        wire(app, timeout=0.01)


def test_task_left_behind_is_refused():
    """A task without an owner is a leak, even one that would end soon."""

    owned = []

    async def app(scope, receive, send):
        owned.append(asyncio.create_task(asyncio.sleep(0.001)))
        await replying(START, BODY)(scope, receive, send)

    with pytest.raises(AssertionError, match="left tasks behind"):
        wire(app)


def test_cancelled_task_may_end():
    """A task that its owner has cancelled gets the turns that it needs."""

    owned = []

    async def app(scope, receive, send):
        owned.append(asyncio.create_task(asyncio.sleep(60)))
        await replying(START, BODY)(scope, receive, send)
        owned[0].cancel()

    assert wire(app).status_code == 200


def test_lost_exception_is_refused():
    """A task that fails while nobody looks is heard of."""

    async def fail():
        raise ValueError("unseen")

    async def app(scope, receive, send):
        task = asyncio.create_task(fail())
        await asyncio.wait({task})
        del task
        await replying(START, BODY)(scope, receive, send)

    with pytest.raises(AssertionError, match="unseen"):
        wire(app)


def test_calls_may_run_at_the_same_time():
    """The tasks of one call are not the leavings of another."""

    async def app(scope, receive, send):
        await asyncio.create_task(asyncio.sleep(0.001 if scope["path"] == "/a" else 0.01))
        await echo(scope, receive, send)

    async def main():
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(awire(app, "POST", path, body=b"x")) for path in ("/a", "/b", "/a")]
        return [call.result().text for call in calls]

    assert asyncio.run(main()) == ["x"] * 3


async def ws_echo(scope, receive, send):
    """Send back what comes, until the client leaves."""
    assert (await receive()) == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while (message := await receive())["type"] == "websocket.receive":
        await send(message | {"type": "websocket.send"})


def test_dialogue_reads_what_was_sent():
    """Text and binary messages come back in order."""
    dialogue = websocket(ws_echo, send=["a", b"b", {"type": "websocket.receive", "text": None, "bytes": b"c"}])
    assert (dialogue.accepted, dialogue.sent, dialogue.close) == (True, ["a", b"b", b"c"], None)


def test_dialogue_offers_subprotocols():
    """The accept message is there to look at."""
    accept = websocket(ws_echo, subprotocols=["chat"]).accept
    assert accept == {"type": "websocket.accept", "subprotocol": "chat"}


def test_refusal_is_a_close_before_accept():
    """An app may refuse the handshake."""
    dialogue = websocket(replying({"type": "websocket.close", "code": 1008, "reason": "no"}))
    assert (dialogue.accepted, dialogue.close) == (False, (1008, "no"))


def test_closing_app_is_told_of_the_end():
    """After the app's own close, `receive` gives a disconnect with its code, again and again."""
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4000})
        seen.extend([await receive(), await receive()])

    assert websocket(app, send=["unread"]).close == (4000, "")
    assert seen == [{"type": "websocket.disconnect", "code": 4000}] * 2


def test_client_may_leave_before_accept():
    """A disconnect goes through at any time; then sends fail."""

    async def app(scope, receive, send):
        await receive()
        assert (await receive())["code"] == 1006
        await send({"type": "websocket.accept"})

    dialogue = websocket(app, send=[{"type": "websocket.disconnect", "code": 1006}], raises=OSError)
    assert not dialogue.accepted


ACCEPT = {"type": "websocket.accept"}


def test_data_waits_for_accept():
    """An app that asks for data before it has accepted waits for ever, as on a server."""

    async def app(scope, receive, send):
        await receive()
        await receive()

    with pytest.raises(AssertionError, match="did not end within"):
        websocket(app, send=["early"], timeout=0.01)


def lifespan_app(startup="complete", shutdown="complete"):
    """Give an app that answers the two events like this."""

    async def app(scope, receive, send):
        if "state" in scope:
            scope["state"]["ready"] = True
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": f"lifespan.startup.{startup}"})
        if startup == "failed":
            return
        assert (await receive())["type"] == "lifespan.shutdown"
        await send({"type": f"lifespan.shutdown.{shutdown}"})

    return app


@pytest.mark.parametrize("shutdown", ["complete", "failed"])
def test_lifespan_runs_both_events(shutdown):
    """The types of the answers are given, and the state is the caller's."""
    state: dict[str, Any] = {}
    kinds = lifespan(lifespan_app(shutdown=shutdown), state)
    assert kinds == ["lifespan.startup.complete", f"lifespan.shutdown.{shutdown}"]
    assert state == {"ready": True}


def test_failed_startup_is_the_end():
    """After a failed startup there is no shutdown."""
    assert lifespan_messages(lifespan_app("failed")) == [{"type": "lifespan.startup.failed"}]


def test_lifespan_may_be_refused_by_an_exception():
    """An app that does not know the protocol raises."""
    assert lifespan(failing_at_once, raises=ValueError) == []


async def failing_at_once(scope, receive, send):
    """Fail."""
    raise ValueError("unknown scope")


def test_running_keeps_the_app_started():
    """Inside the block the app is up, and may own tasks."""
    events = []

    async def app(scope, receive, send):
        if scope["type"] == "http":
            return await replying(START, BODY)(scope, receive, send)
        keeper = asyncio.create_task(asyncio.sleep(60))
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        keeper.cancel()
        events.append("down")
        return await send({"type": "lifespan.shutdown.complete"})

    async def main():
        async with running(app):
            events.append((await awire(app)).text)

    asyncio.run(main())
    assert events == ["hi", "down"]


@pytest.mark.parametrize("app", [lifespan_app("failed"), lifespan_app(shutdown="failed"), failing_at_once])
def test_running_demands_success(app):
    """A startup or shutdown that fails is a failed test."""

    async def main():
        async with running(app):
            pass

    with pytest.raises(AssertionError):
        asyncio.run(main())


@pytest.mark.parametrize(("send_fails", "version"), [(False, "2.3"), (True, "2.4")])
def test_scope_says_how_sends_fail(send_fails, version):
    """Apps that watch for the client's leaving look at the version of the specification."""
    assert scope_of(send_fails=send_fails)["asgi"] == {"version": "3.0", "spec_version": version}
