"""Socket.IO beside ordinary routes: a chat with rooms, and the signalling of video calls between two browsers.

WebSockets and channels do all this without a package (see the example `chat`). Socket.IO is for who has clients that
speak it, or wants its fallback to long polling where no WebSocket gets through.
"""

import os
from pathlib import Path

import socketio

from micropie import App, HTTPError, Mount, methods
from micropie.static import StaticFiles

HERE = Path(__file__).parent
LONGEST_NAME, LONGEST_TEXT = 30, 500

# Several workers share their rooms by Redis; and Uvicorn's workers need sticky sessions for long polling, so a proxy.
redis = os.environ.get("REDIS_URL")
sio = socketio.AsyncServer(async_mode="asgi", client_manager=socketio.AsyncRedisManager(redis) if redis else None)


class Chat(socketio.AsyncNamespace):
    """The namespace ``/chat``. Who speaks is who has logged in by the page: the handshake carries its session."""

    async def on_connect(self, sid, environ, auth):
        name = environ["asgi.scope"]["session"].get("name")
        if not name:
            raise socketio.exceptions.ConnectionRefusedError("Say your name first")
        await self.save_session(sid, {"name": name, "room": None})

    async def on_join(self, sid, room):
        """Move to a room. What a handler returns is the acknowledgement that the client's call gets."""
        room = checked(room, LONGEST_NAME)
        if room is None:
            return {"error": f"A room has 1 to {LONGEST_NAME} characters"}
        async with self.session(sid) as session:
            await self._leave(sid, session)
            session["room"] = room
        await self.enter_room(sid, room)
        await self.emit("news", f"{session['name']} is here", room=room)
        return {"room": room}

    async def on_say(self, sid, text):
        session = await self.get_session(sid)
        text = checked(text, LONGEST_TEXT)
        if text is None or session["room"] is None:
            return {"error": f"Join a room, and say 1 to {LONGEST_TEXT} characters"}
        await self.emit("said", {"name": session["name"], "text": text}, room=session["room"])
        return {"said": text}

    async def on_disconnect(self, sid, reason):
        await self._leave(sid, await self.get_session(sid))

    async def _leave(self, sid, session):
        if session.get("room"):
            await self.leave_room(sid, session["room"])
            await self.emit("news", f"{session['name']} has left", room=session["room"])


class Call(socketio.AsyncNamespace):
    """The namespace ``/call``: tells two browsers of each other. Sound and picture go directly between them."""

    async def on_join(self, sid, room):
        room = checked(room, LONGEST_NAME)
        present = [] if room is None else [other for other, _ in self.server.manager.get_participants("/call", room)]
        if room is None or sid in present or len(present) > 1:
            return {"error": "Nobody else fits in"}
        await self.save_session(sid, {"room": room})
        await self.enter_room(sid, room)
        # The second one makes the offer: so there is always one who does, and never two.
        return {"offers": len(present) == 1}

    async def on_signal(self, sid, signal):
        """Hand an offer, an answer or a candidate to the other one, unread."""
        session = await self.get_session(sid)
        if session.get("room"):
            await self.emit("signal", signal, room=session["room"], skip_sid=sid)

    async def on_disconnect(self, sid, reason):
        session = await self.get_session(sid)
        if session.get("room"):
            await self.emit("left", room=session["room"], skip_sid=sid)


def checked(text, longest):
    """A text without what surrounds it; None if it is none, or too long: what clients send is theirs."""
    text = text.strip() if isinstance(text, str) else ""
    return text if 1 <= len(text) <= longest else None


sio.register_namespace(Chat("/chat"))
sio.register_namespace(Call("/call"))


class Site(App):
    """``/`` is the chat, ``/call`` the video call; an ordinary route speaks to the chat as well."""

    static = StaticFiles(HERE / "static")
    # Its clients ask for /socket.io/, which no method can be called: a mount can. It runs behind our hooks and session.
    socket_io = Mount(socketio.ASGIApp(sio), path="/socket.io")

    def index(self):
        return (HERE / "chat.html").read_text(encoding="utf-8")

    def call(self):
        return (HERE / "call.html").read_text(encoding="utf-8")

    @methods("POST")
    async def login(self, name):
        name = checked(name, LONGEST_NAME)
        if name is None:
            raise HTTPError(400, f"A name has 1 to {LONGEST_NAME} characters")
        self.request.session["name"] = name
        return self._redirect("/", status=303)

    @methods("POST")
    async def announce(self, text, room):
        await sio.emit("news", text, room=room, namespace="/chat")
        return 202, None


app = Site(surplus_path_status=404)
