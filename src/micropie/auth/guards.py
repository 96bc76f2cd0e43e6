"""Guards that ask for a name and a password, or for a token, by the header `Authorization` (RFC 9110 §11).

One object can stand in three places: as a controller's `_before`, among the middlewares of an application, and in an
annotation, where it is a provider. What it needs is in the OpenAPI document, by its attribute `security`.
"""

import base64
import binascii
import functools
import inspect
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from micropie import HTTPError, HttpMiddleware, Request, WebSocketMiddleware, current_request
from micropie.calling import result_of

Credentials = tuple[str, ...]
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 §2.1
_REALM = re.compile(r"[ -~]+")  # RFC 9110 §5.6.4; what is not ASCII reads in many ways


class HeaderGuard(HttpMiddleware, WebSocketMiddleware, ABC):
    """A guard that finds credentials in `Authorization`; a subclass says in which form."""

    scheme = ""
    count = 0  # of the credentials, which `check` takes

    def __init__(
        self,
        check: Callable[..., Any],
        *,
        realm: str = "Members only",
        optional: bool = False,
        name: str = "",
    ) -> None:
        if _REALM.fullmatch(realm) is None:
            raise ValueError(f"{type(self).__name__}(realm={realm!r}): printable ASCII is accepted")
        self._check = check
        self._takes_owner = count_of(check) > self.count
        self._optional = optional
        quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
        self._challenge = f'{self.scheme} realm="{quoted}"'
        scheme = self.scheme.lower()
        self.security: dict[str, dict[str, str]] = {name or scheme: {"type": "http", "scheme": scheme}}

    @abstractmethod
    def credentials(self, text: str) -> Credentials | None:
        """What is behind the scheme in `Authorization`; None if that has not the right form."""

    def refusal(self) -> str:
        """The challenge to who has come with credentials that are wrong."""
        return self._challenge

    async def user_of(self, request: Request, *owner: Any) -> Any:
        """What the check makes of the credentials in `request`. `HTTPError` 401 if there are none, or wrong ones.

        `owner` is the controller, for a check that is a method of it.
        """
        scheme, _, text = request.header("authorization", "").partition(" ")
        if scheme.lower() != self.scheme.lower():
            if self._optional:
                return None
            raise HTTPError(401, headers=[("WWW-Authenticate", self._challenge)])
        credentials = self.credentials(text.strip(" "))
        user = None if credentials is None else await result_of(self._check, *owner, *credentials)
        if user is None or user is False:
            raise HTTPError(401, headers=[("WWW-Authenticate", self.refusal())])
        return user

    # As a controller's `_before`.

    def __get__(self, owner: Any, kind: type) -> Callable[..., Coroutine[Any, Any, None]]:
        """The guard as a method of a controller, which is given to a check that takes one more argument."""
        if owner is None:
            return self
        return functools.partial(self.__call__, owner) if self._takes_owner else self.__call__

    async def __call__(self, *owner: Any) -> None:
        """Let only those in whom the check knows; a `_before` that does more may call it."""
        request = current_request.get()
        request.state.user = await self.user_of(request, *owner)

    # As a middleware.

    async def before_routing(self, request: Request) -> None:
        """Let only those in whom the check knows, before anything of a body is taken."""
        request.state.user = await self.user_of(request)

    # As a provider.

    async def __provide__(self, request: Request) -> Any:
        """The user, for a handler that asks."""
        return await self.user_of(request)


class BasicAuth(HeaderGuard):
    """Asks for a name and a password (RFC 7617), for which browsers have a dialogue of their own.

    `check(name, password)` returns the user, or True; None or False refuses: 401. A plain function runs in a thread.
    The user is `request.state.user`. With `optional` who says nothing passes, as None. `realm` is what the dialogue
    says, in printable ASCII; `security` is what an OpenAPI document says of it, where its scheme is called `name`,
    `basic` unless it is given.

        async def check(name, password):
            return name if await verify_password(password, PASSWORDS.get(name)) else None

        class Admin(Controller):
            _before = BasicAuth(check)
    """

    scheme = "Basic"
    count = 2

    def __init__(
        self, check: Callable[..., Any], *, realm: str = "Members only", optional: bool = False, name: str = ""
    ) -> None:
        super().__init__(check, realm=realm, optional=optional, name=name)
        self._challenge += ', charset="UTF-8"'

    def credentials(self, text: str) -> Credentials | None:
        """Name and password."""
        try:
            name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        is_text = not any(unicodedata.category(one) == "Cc" for one in name + password)
        return (name, password) if colon and is_text else None


class BearerAuth(HeaderGuard):
    """Asks for a token (RFC 6750), as programs send it.

    `check(token)` returns the user, or True; None or False refuses: 401. A plain function runs in a thread. The user is
    `request.state.user`. With `optional` who says nothing passes, as None. `realm` is told to who is refused, in
    printable ASCII; `security` is what an OpenAPI document says of it, where its scheme is called `name`, `bearer`
    unless it is given.

        async def check(token):
            return await find_user_by(sha256(token.encode()).hexdigest())

        class Api(Controller):
            _before = BearerAuth(check)
    """

    scheme = "Bearer"
    count = 1

    def credentials(self, text: str) -> Credentials | None:
        """The token."""
        return (text,) if _TOKEN.fullmatch(text) else None

    def refusal(self) -> str:
        """The challenge with the error (RFC 6750 §3.1)."""
        return f'{self._challenge}, error="invalid_token"'


def count_of(check: Callable[..., Any]) -> int:
    """How many arguments a check needs."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(check).parameters.values()
    return sum(one.kind in kinds and one.default is one.empty for one in parameters)
