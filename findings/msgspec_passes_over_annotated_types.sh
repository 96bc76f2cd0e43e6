#!/usr/bin/env bash
# `Annotated[int, Gt(0)]` of annotated_types in a msgspec Struct, and a limit round an optional type.
#
# Guess: the constraints are checked, as in pydantic, for which most of them have been written; a type that can't be checked is refused.
# Seen: msgspec takes any `Annotated` and checks none of these, silently: only its own `Meta` counts. That is refused round
# `str | None`, where pydantic allows it: it has to stand inside.
source "$(dirname "$0")/_setup.sh"
packages msgspec==0.22.0 pydantic==2.14.4 annotated-types==0.7.0

cat >ask.py <<'END'
from typing import Annotated

import msgspec
import pydantic
from annotated_types import Gt, MaxLen

TEXT = b'{"count": -1, "name": "much too long"}'


class Struct(msgspec.Struct):
    count: Annotated[int, Gt(0)]
    name: Annotated[str, MaxLen(3)]


class Checked(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(gt=0)]


class Model(pydantic.BaseModel):
    count: Annotated[int, Gt(0)]
    name: Annotated[str, MaxLen(3)]


class Optional(pydantic.BaseModel):
    name: Annotated[str | None, pydantic.Field(max_length=3)] = None


def answer(what, call):
    try:
        print(f"{what}: {call()}")
    except (ValueError, TypeError) as error:
        print(f"{what}: {type(error).__name__}")


answer("msgspec, annotated_types", lambda: msgspec.json.decode(TEXT, type=Struct))
answer("msgspec, its Meta", lambda: msgspec.json.decode(TEXT, type=Checked))
answer("pydantic, annotated_types", lambda: Model.model_validate_json(TEXT))
answer("pydantic, round an optional", lambda: Optional.model_validate_json('{"name": "abc"}'))
SHORT = msgspec.Meta(max_length=3)
answer("msgspec, round an optional", lambda: msgspec.json.decode(b'"abc"', type=Annotated[str | None, SHORT]))
answer("msgspec, inside", lambda: msgspec.json.decode(b'"abc"', type=Annotated[str, SHORT] | None))
END

seen python ask.py <<'END'
msgspec, annotated_types: Struct(count=-1, name='much too long')
msgspec, its Meta: ValidationError
pydantic, annotated_types: ValidationError
pydantic, round an optional: name='abc'
msgspec, round an optional: TypeError
msgspec, inside: abc
END
