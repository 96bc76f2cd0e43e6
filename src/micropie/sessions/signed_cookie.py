"""SignedCookieSessionBackend: the session itself is in the visitor's cookie, signed, and nowhere else.

The cookie is `ID.EXPIRES.DATA.SIGNATURE`: the id, which has a dot in it and says when the session began; seconds since
the epoch, in hexadecimal digits; JSON and the HMAC-SHA256 of what is before it, both in URL-safe base64.
"""

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from micropie import SessionBackend
from micropie.sessions.values import to_json

MIN_SECRET = 32  # bytes, as many as the signature has (RFC 2104 §3)
MAX_VALUE = 4096  # bytes; browsers send no longer ones
PURPOSE = b"micropie.sessions.signed_cookie\0"  # so that no other signature with that secret is taken for a session's
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
        self._secrets = [checked(one) for one in (secret, *old_secrets)]

    async def load(self, session_id: str) -> dict[str, Any]:
        """The data in a cookie; `{}` if it is not one of ours, or has expired."""
        signed, _, signature = session_id.rpartition(".")
        if len(session_id) > MAX_VALUE or not self._is_ours(signed, signature):
            return {}
        _, expires, text = signed.rsplit(".", 2)
        if int(expires, 16) <= time.time():
            return {}
        data: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=="))
        return data

    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> str | None:
        """The cookie that is good for `timeout` seconds; None if `data` is empty."""
        if not data:
            return None
        first, second, *_ = session_id.split(".")  # of an id, or of the cookie that began with it
        signed = f"{first}.{second}.{int(time.time() + timeout):x}.{in_base64(to_json(data).encode())}"
        return f"{signed}.{signature_of(signed, self._secrets[0])}"

    async def touch(self, session_id: str, timeout: int) -> str | None:
        """The cookie with its expiry pushed, if that is worth it, or it is to be signed with the newest secret."""
        signed, _, signature = session_id.rpartition(".")
        remaining = int(signed.rsplit(".", 2)[1], 16) - time.time()
        # Later than that it expires by a longer timeout, which the application had before.
        if abs(remaining - timeout) < timeout / LAZINESS and signature == signature_of(signed, self._secrets[0]):
            return None
        return await self.save(session_id, await self.load(session_id), timeout)

    async def sessions_of(self, user_id: object) -> dict[str, dict[str, Any]]:
        """NotImplementedError: nobody knows which cookies there are."""
        raise NotImplementedError("Sessions in cookies can't be listed: keep them on a server, in SQLite or on Redis")

    async def end_sessions(self, user_id: object, handle: str | None = None, *, keep: str | None = None) -> int:
        """NotImplementedError: nobody can take a cookie back."""
        raise NotImplementedError("Sessions in cookies can't be ended: keep them on a server, in SQLite or on Redis")

    def _is_ours(self, signed: str, signature: str) -> bool:
        found = signature.encode()
        return any(hmac.compare_digest(signature_of(signed, secret).encode(), found) for secret in self._secrets)


def checked(secret: str | bytes) -> bytes:
    """A secret as bytes. ValueError if it is so short that it could be guessed."""
    key = secret.encode() if isinstance(secret, str) else secret
    if len(key) < MIN_SECRET:
        raise ValueError(
            f"A secret of {len(key)} bytes can be guessed, at least {MIN_SECRET} are wanted. To make one: "
            'python -c "import secrets; print(secrets.token_hex(32))"'
        )
    return key


def signature_of(text: str, secret: bytes) -> str:
    """The HMAC-SHA256 of a text, in base64."""
    return in_base64(hmac.digest(secret, PURPOSE + text.encode(), "sha256"))


def in_base64(data: bytes) -> str:
    """URL-safe base64, without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()
