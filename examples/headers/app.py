"""Requests and replies by hand: the raw request, conditions, HEAD, OPTIONS, verbs of your own, unusual statuses."""

from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Annotated

from micropie import App, FromBody, Header, HTTPError, Resource, methods

GREETINGS = {"en": "Good day", "de": "Guten Tag", "fr": "Bonjour"}


class Recipe(Resource):
    """One text that several people edit: conditions keep readers from loading it twice, and writers from losing work.

    `ETagMiddleware` gives every reply of a site an ETag, but writers need one that is known before they write.
    """

    def __init__(self):
        self._keep("Flour, butter, apples\n")

    async def get(self, if_none_match: Annotated[str, Header()] = ""):
        # HEAD comes here too: it gets these headers, and the length of the body without the body.
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-cache"),  # which means: keep it, but ask each time whether it is still right
            ("ETag", self._etag),
            ("Last-Modified", format_datetime(self._changed, usegmt=True)),
        ]
        if self._etag in [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]:
            return 304, None, headers
        return 200, self._text, headers

    async def put(self, text: Annotated[str, FromBody()], if_match: Annotated[str, Header()] = ""):
        if not if_match:
            raise HTTPError(428, "Say which version you have changed, by If-Match")
        if if_match != self._etag:
            raise HTTPError(412, "Somebody was faster", [("ETag", self._etag)])
        self._keep(text)
        return 204, None, [("ETag", self._etag)]

    def _keep(self, text):
        self._text = text
        self._changed = datetime.now(UTC)
        self._etag = f'"{sha256(text.encode()).hexdigest()[:16]}"'


class Desk(App):
    """OPTIONS is answered everywhere by itself: it names the verbs."""

    recipe = Recipe()

    async def index(self):
        """What goes with every reply is an after hook's business, or a controller's `_after`; this is one reply's."""
        return 200, "See /raw, /greeting, /recipe and /tea", [("Content-Type", "text/plain"), ("X-Oven", "warm")]

    async def raw(self, *rest):
        """Show the request as it arrived: headers in their order, repeated ones too, and the target before decoding."""
        request = self.request
        scope = request.scope
        return {
            "method": request.method,
            "target": scope["raw_path"].decode("ascii"),
            "query": scope["query_string"].decode("ascii"),
            "http": scope["http_version"],
            "headers": [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in scope["headers"]],
            "bytes": len(request.body),
            "rest": rest,
        }

    async def greeting(self):
        """Answer in the visitor's language. `Vary` tells caches that the next visitor may get another one."""
        wanted = self.request.header("accept-language", "")
        named = [one.strip()[:2] for one in wanted.lower().split(",")]
        language = next((one for one in named if one in GREETINGS), "en")
        headers = [("Content-Language", language), ("Vary", "Accept-Language")]
        return 200, GREETINGS[language], headers

    @methods("PURGE")  # any token is a verb; who asks by another one is told by 405 and Allow
    async def cache(self):
        return 202, "It will be forgotten"

    async def tea(self):
        return 418, "I am an oven", [("Retry-After", "never"), ("Link", "</recipe>; rel=alternate")]


app = Desk(surplus_path_status=404)
