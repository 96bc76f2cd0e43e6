"""What MicroPie makes of the largest bodies."""

from dataclasses import dataclass
from typing import Annotated, TypedDict

import attrs
import msgspec
import pydantic

from micropie import App, FromBody


@dataclass
class DataclassPie:
    id: int
    name: str
    price: float


class TypedDictPie(TypedDict):
    id: int
    name: str
    price: float


class StructPie(msgspec.Struct):
    id: int
    name: str
    price: float


@attrs.define
class AttrsPie:
    id: int
    name: str
    price: float


class ModelPie(pydantic.BaseModel):
    id: int
    name: str
    price: float


class Large(App):
    async def quick(self):
        return "quick"

    async def raw(self):
        return str(len(self.request.body))

    async def json(self, name="none"):
        return str(len(self.request.get_json))

    async def form(self, name="none"):
        return str(len(self.request.body_params))

    async def dataclass(self, pies: Annotated[list[DataclassPie], FromBody()]):
        return str(len(pies))

    async def typeddict(self, pies: Annotated[list[TypedDictPie], FromBody()]):
        return str(len(pies))

    async def msgspec(self, pies: Annotated[list[StructPie], FromBody()]):
        return str(len(pies))

    async def attrs(self, pies: Annotated[list[AttrsPie], FromBody()]):
        return str(len(pies))

    async def pydantic(self, pies: Annotated[list[ModelPie], FromBody()]):
        return str(len(pies))


app = Large()
