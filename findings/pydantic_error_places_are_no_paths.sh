#!/usr/bin/env bash
# Where a pydantic error lies: its `loc`, as who shows it at a form's field, or by a JSON Pointer, joins it.
#
# Guess: a path in the document, a step for each member and item.
# Seen: each union on the way adds the name of the class, or the tag, that was tried, and a bad key of a dict adds "[key]". They
# are not in the document, and nothing tells them from members of that name: only the core schema says which step is which.
source "$(dirname "$0")/_setup.sh"
packages pydantic==2.14.4

cat >ask.py <<'END'
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError


class Card(BaseModel):
    kind: Literal["card"]
    number: int


class Cash(BaseModel):
    kind: Literal["cash"]
    coins: int


class Order(BaseModel):
    paid: Annotated[Card | Cash, Field(discriminator="kind")]
    weight: int | Card
    card: dict[int, str]


document = {"paid": {"kind": "card", "number": "x"}, "weight": "x", "card": {"x": "y"}}
try:
    TypeAdapter(Order).validate_python(document)
except ValidationError as error:
    for one in error.errors():
        print(*one["loc"], sep=".")
END

seen python ask.py <<'END'
paid.card.number
weight.int
weight.Card
card.x.[key]
END
