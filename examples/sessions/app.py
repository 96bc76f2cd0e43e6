"""Sessions: a visit counter, log-in, log-out here and everywhere, kept in SQLite so that they survive a restart."""

import hmac
from pathlib import Path

from micropie import App, methods
from micropie.sessions import SQLiteSessionBackend, flash, flashes

PASSWORDS = {"alice": "apple", "bob": "plum"}  # an example; real ones are salted hashes


class Members(App):
    """Counts visits; ``/login`` and ``/logout`` change who you are."""

    async def index(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        news = "".join(f"{message}. " for message in flashes())
        return f"{news}Hello, {session.user_id or 'stranger'}. This is visit number {session['visits']}."

    @methods("POST")  # a password has no place in a URL
    async def login(self, user, password):
        expected = PASSWORDS.get(user, "")
        if not expected or not hmac.compare_digest(expected.encode(), password.encode()):
            return 403, "Wrong name or password"
        self.request.session.rotate()  # a fresh id, so that an old one is worth nothing
        self.request.session.bind(user)
        flash(self.request, "You are logged in")
        return self._redirect("/", status=303)

    @methods("POST")  # a link on another site must not log anybody out
    async def logout(self):
        self.request.session.clear()
        return self._redirect("/", status=303)

    @methods("POST")
    async def logout_everywhere(self):
        session = self.request.session
        if session.user_id:
            await session.backend.end_sessions(session.user_id)
        session.clear()
        return self._redirect("/", status=303)


app = Members(SQLiteSessionBackend(Path(__file__).with_name("sessions.db")), session_timeout=3600)
