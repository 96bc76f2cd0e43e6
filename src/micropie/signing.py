"""Signed texts: whoever has one can read it, and nobody without the secret can make one, or change it.

The signature is the HMAC-SHA256 (RFC 2104) of a purpose and the text, in URL-safe base64, behind a dot. The cookies of
`micropie.sessions` are signed by it, too.
"""

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from micropie import HTTPError

MIN_SECRET = 32  # bytes, as many as the signature has (RFC 2104 §3)
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class InvalidToken(HTTPError):  # noqa: N818 - says what is wrong better than InvalidTokenError
    """A 400: a token is not one of ours, or not of this purpose, or was changed on its way. Clients read `detail`.

    try:
        user_id = resets.unsign(token)
    except InvalidToken:
        raise HTTPError(404) from None
    """

    def __init__(self, detail: str = "This link is not valid") -> None:
        super().__init__(400, detail)


class ExpiredToken(InvalidToken):
    """A 400: a token was ours, and its time is over.

    try:
        user_id = resets.unsign(token)
    except ExpiredToken:
        return self._redirect("/forgotten?again=yes")
    """

    def __init__(self) -> None:
        super().__init__("This link has expired")


class Signer:
    """Makes tokens that carry a value through other people's hands: in the link of a mail, say.

    They are signed with `secret`, for one `purpose`: those of others are not accepted. Those that were signed with one
    of `old_secrets` are. ValueError for a secret of less than 32 bytes.

        resets = Signer(os.environ["SECRET"], purpose="password reset")
        token = resets.sign(user.id, max_age=3600)
        user_id = resets.unsign(token)
    """

    def __init__(self, secret: str | bytes, *old_secrets: str | bytes, purpose: str) -> None:
        self._signatures = Signatures((secret, *old_secrets), f"micropie.auth.signer\0{purpose}")

    def sign(self, value: Any, max_age: float) -> str:
        """A token of any value that JSON can hold, good for `max_age` seconds: letters, digits and `.-_`.

        TypeError or ValueError for another value. A tuple comes back as a list.
        """
        return self._signatures.signed(f"{int(time.time() + max_age):x}.{in_base64(_encode(value).encode())}")

    def unsign(self, token: str) -> Any:
        """The value in a token. `ExpiredToken` if its time is over, else `InvalidToken` for what is no such token.

        Both are an `HTTPError` 400, which answers by itself if nobody catches it.
        """
        text = self._signatures.text_of(token)
        if text is None:
            raise InvalidToken
        expires, _, data = text.partition(".")
        if int(expires, 16) <= time.time():
            raise ExpiredToken
        return json.loads(from_base64(data))


class Signatures:
    """Signs texts with the first of the secrets, and accepts what was signed with any of them, for the same purpose."""

    def __init__(self, secrets: tuple[str | bytes, ...], purpose: str) -> None:
        # PERF: begun once and copied for each signature, which halves what that costs.
        self._begun = [hmac.new(checked(one), purpose.encode() + b"\0", "sha256") for one in secrets]

    def signed(self, text: str) -> str:
        """The text with its signature."""
        return f"{text}.{signature_of(text, self._begun[0])}"

    def text_of(self, token: str) -> str | None:
        """The text of a token without its signature; None if that is not ours."""
        text, _, signature = token.rpartition(".")
        is_ours = token.isascii() and any(
            hmac.compare_digest(signature_of(text, begun), signature) for begun in self._begun
        )
        return text if is_ours else None


def signature_of(text: str, begun: hmac.HMAC) -> str:
    """The HMAC of a text, in base64; `begun` has the secret, and the purpose."""
    code = begun.copy()
    code.update(text.encode())
    return in_base64(code.digest())


def checked(secret: str | bytes) -> bytes:
    """A secret as bytes. ValueError if it is so short that it could be guessed."""
    key = secret.encode() if isinstance(secret, str) else secret
    if len(key) < MIN_SECRET:
        raise ValueError(
            f"A secret of {len(key)} bytes can be guessed, at least {MIN_SECRET} are wanted. To make one: "
            'python -c "import secrets; print(secrets.token_hex(32))"'
        )
    return key


def same_secret(given: str, expected: str) -> bool:
    """True if `given` and `expected` are equal texts, after a time that does not tell where they differ; in any script.

    if not same_secret(request.header("x-hook-secret", ""), SECRET):
        raise HTTPError(403)
    """
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))


def in_base64(data: bytes) -> str:
    """URL-safe base64, without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """The bytes of URL-safe base64 without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
