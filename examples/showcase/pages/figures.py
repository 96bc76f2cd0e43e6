"""What was measured, drawn from the files that the benchmarks write."""

import json
from dataclasses import dataclass
from typing import Literal

from pages.page import Page
from settings import HERE

RESULTS = HERE.parents[1] / "benchmarks" / "results"
NAMES = {
    "raw": "hand-written ASGI",
    "micropie": "MicroPie",
    "micropie-0.32": "the original, 0.32",
    "micropie-0.29": "the original, 0.29",
    "starlette": "Starlette",
    "fastapi": "FastAPI",
    "quart": "Quart",
    "blacksheep": "BlackSheep",
    "litestar": "Litestar",
    "falcon": "Falcon",
    "muffin": "Muffin",
    "sanic": "Sanic",
    "emmett55": "Emmett55",
    "django": "Django",
    "robyn": "Robyn",
    "socketify": "socketify",
}
CASES = {
    "json": "a JSON reply",
    "path": "a path parameter",
    "form": "a form",
    "typed": "a typed record",
    "visits": "a session",
    "fortunes": "a template",
    "ws": "a WebSocket message",
}
Case = Literal["json", "path", "form", "typed", "visits", "fortunes", "ws"]


@dataclass
class Bar:
    """A row of a chart; how long it is in percent of the longest one."""

    name: str
    value: float
    share: float
    is_ours: bool


class Figures(Page):
    """Charts that are tables, and tables that are the files."""

    template = "figures.html"
    title = "Figures"
    lead = "What a framework adds to a request, beside its peers, also where we are slower."

    async def index(self, case: Case = "json"):
        """Draw what was measured last, for one kind of request."""
        inprocess, server = measured("inprocess"), measured("server")
        return await self._page(
            case=case,
            cases=CASES,
            added=bars(inprocess["results"][case], "overhead", without="raw"),
            served=bars(server["results"]["uvicorn"]["json"], "rate", best=max),
            began=bars(measured("startup")["results"], "milliseconds"),
            machine=inprocess["machine"],
            python=inprocess["python"],
        )


def measured(name):
    """The results of a benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def bars(results, figure, *, best=min, without=""):
    """One figure of each framework that has it, as rows of a chart, the best first."""
    values = {name: one[figure] for name, one in results.items() if figure in one and name in NAMES and name != without}
    longest = max(values.values())
    return [
        Bar(NAMES[name], value, round(100 * value / longest, 2), is_ours=name == "micropie")
        for name, value in sorted(values.items(), key=lambda item: item[1], reverse=best is max)
    ]
