"""Run as a program: what the application answers, and logs, without the optional packages.

Prints one JSON object: each case's reply as [status, body], and the records of its log as whole texts.
"""

import asyncio
import json
import logging
from typing import Any

from micropie import App
from tests.wire import awire

MULTIPART = [("content-type", "multipart/form-data; boundary=B")]

UPLOAD = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\ndata\r\n--B--\r\n'


class Probe(App):
    async def index(self):
        return "plain"

    async def page(self):
        return await self._render_template("page.html")

    async def upload(self, file):
        return "uploaded"

    async def parse(self):
        reader = asyncio.StreamReader()
        reader.feed_data(UPLOAD)
        reader.feed_eof()
        await self._parse_multipart(reader, b"B")

    async def add(self, a, b):
        return {"sum": int(a) + int(b)}

    async def echo(self):
        return self.request.get_json


class Records(logging.Handler):
    """Keeps each record as the text that an operator reads."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


async def answers() -> dict[str, Any]:
    """Ask for what needs a package, and for what needs none."""
    app, records = Probe(), Records()
    logging.getLogger("micropie").addHandler(records)
    found: dict[str, Any] = {}

    async def ask(case: str, *request: Any, **options: Any) -> None:
        records.texts = []
        reply = await awire(app, *request, **options)
        found[case] = {"reply": [reply.status_code, reply.text], "log": records.texts}

    await ask("template", "GET", "/page")
    await ask("template again", "GET", "/page")
    await ask("upload", "POST", "/upload", headers=MULTIPART, body=UPLOAD)
    await ask("upload again", "POST", "/upload", headers=MULTIPART, body=UPLOAD)
    await ask("parse_multipart", "GET", "/parse")
    await ask("plain", "GET", "/")
    await ask("form", "POST", "/add", form={"a": "1", "b": "2"})
    await ask("json", "POST", "/echo", json={"a": [1, None]})
    await ask("ignored upload", "GET", "/", headers=MULTIPART)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(answers())))  # noqa: T201
