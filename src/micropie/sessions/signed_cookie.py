"""SignedCookieSessionBackend: the session itself is in the visitor's cookie, signed, and nowhere else.

The cookie is `ID.EXPIRES.DATA.SIGNATURE`: the id, which has a dot in it and says when the session began; seconds since
the epoch, in hexadecimal digits; JSON and the HMAC-SHA256 of what is before it, both in URL-safe base64.
"""

import json
import time
from typing import Any

from micropie import SessionBackend
from micropie.sessions.values import to_json
from micropie.signing import Signatures, from_base64, in_base64

MAX_VALUE = 4096  # bytes; browsers send no longer ones
PURPOSE = "micropie.sessions.signed_cookie"  # so that no other signature with that secret is taken for a session's
LAZINESS = 20  # the expiry is pushed when a twentieth of the time has passed, so that few replies set the cookie


class SignedCookieSessionBackend(SessionBackend):
    """Keeps each session in its cookie, signed with `secret`; those signed with `old_secrets` are accepted, too.

    Nothing is stored on the server, and so nothing can be taken back: a copy of a cookie is good until it expires, also
    after a log-out, and of parallel requests the last reply counts. Visitors can read what is in their cookies, and
    change none of it; more than about 2,900 bytes of JSON is a ValueError.

        app = MyApp(SignedCookieSessionBackend(os.environ["SESSION_SECRET"]))
    """

    in_cookie = True

    def __init__(self, secret: str | bytes, *old_secrets: str | bytes) -> None:
        self._signatures = Signatures((secret, *old_secrets), PURPOSE)

    async def load(self, session_id: str) -> dict[str, Any]:
        """The data in a cookie; `{}` if it is not one of ours, or has expired."""
        signed = self._signatures.text_of(session_id) if len(session_id) <= MAX_VALUE else None
        if signed is None:
            return {}
        _, expires, text = signed.rsplit(".", 2)
        if int(expires, 16) <= time.time():
            return {}
        data: dict[str, Any] = json.loads(from_base64(text).decode())
        return data

    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> str | None:
        """The cookie that is good for `timeout` seconds; None if `data` is empty."""
        if not data:
            return None
        first, second, *_ = session_id.split(".")  # of an id, or of the cookie that began with it
        text = f"{first}.{second}.{int(time.time() + timeout):x}.{in_base64(to_json(data).encode())}"
        return self._signatures.signed(text)

    async def update(self, session_id: str, changes: dict[str, Any], removed: list[str], timeout: int) -> str | None:
        """The cookie with these values of the session changed; None if it is not one of ours, or empty by then."""
        data = await self.load(session_id)
        if data:
            data.update(changes)
            for name in removed:
                data.pop(name, None)
        return await self.save(session_id, data, timeout)

    async def touch(self, session_id: str, timeout: int) -> str | None:
        """The cookie with its expiry pushed, if that is worth it, or it is to be signed with the newest secret."""
        text, _, _ = session_id.rpartition(".")
        remaining = int(text.rsplit(".", 2)[1], 16) - time.time()
        # Later than that it expires by a longer timeout, which the application had before.
        if abs(remaining - timeout) < timeout / LAZINESS and session_id == self._signatures.signed(text):
            return None
        return await self.save(session_id, await self.load(session_id), timeout)

    async def sessions_of(self, user_id: object) -> dict[str, dict[str, Any]]:
        """NotImplementedError: nobody knows which cookies there are."""
        raise NotImplementedError("Sessions in cookies can't be listed: keep them on a server, in SQLite or on Redis")

    async def end_sessions(self, user_id: object, handle: str | None = None, *, keep: str | None = None) -> int:
        """NotImplementedError: nobody can take a cookie back."""
        raise NotImplementedError("Sessions in cookies can't be ended: keep them on a server, in SQLite or on Redis")
