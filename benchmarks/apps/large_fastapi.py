"""What FastAPI makes of the largest bodies: its records are pydantic's, and dataclasses."""

from dataclasses import dataclass
from typing import Annotated, Any

import pydantic
from fastapi import Body, FastAPI, Request
from fastapi.responses import PlainTextResponse

app = FastAPI(default_response_class=PlainTextResponse)


@dataclass
class DataclassPie:
    id: int
    name: str
    price: float


class ModelPie(pydantic.BaseModel):
    id: int
    name: str
    price: float


@app.get("/quick")
async def quick():
    return "quick"


@app.post("/raw")
async def raw(request: Request):
    return str(len(await request.body()))


@app.post("/json")
async def json(value: Annotated[Any, Body()]):
    return str(len(value))


@app.post("/form")
async def form(request: Request):
    return str(len((await request.form()).keys()))


@app.post("/dataclass")
async def dataclass_pies(pies: list[DataclassPie]):
    return str(len(pies))


@app.post("/pydantic")
async def pydantic_pies(pies: list[ModelPie]):
    return str(len(pies))
