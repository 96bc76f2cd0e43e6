#!/usr/bin/env bash
# A dataclass with `field(init=False, default=...)`, as JSON.
#
# Guess: all fields are in it, as in `dataclasses.asdict()` and in pydantic's.
# Seen: orjson and msgspec leave such a field out, silently, until somebody assigns to it: they read the instance's `__dict__`, and the
# default is on the class. With `slots=True`, or `default_factory`, it is there.
source "$(dirname "$0")/_setup.sh"
packages orjson==3.13.0 msgspec==0.22.0 pydantic==2.14.4

cat >try.py <<'END'
from dataclasses import asdict, dataclass, field
import msgspec, orjson
from pydantic import TypeAdapter

@dataclass
class Pie:
    name: str
    status: str = field(init=False, default="new")

@dataclass(slots=True)
class Slotted:
    name: str
    status: str = field(init=False, default="new")

for pie in Pie("plum"), Slotted("plum"):
    print(type(pie).__name__)
    print("  asdict  ", asdict(pie))
    print("  pydantic", TypeAdapter(type(pie)).dump_json(pie).decode())
    print("  orjson  ", orjson.dumps(pie).decode())
    print("  msgspec ", msgspec.json.encode(pie).decode())
END
seen python try.py <<'END'
Pie
  asdict   {'name': 'plum', 'status': 'new'}
  pydantic {"name":"plum","status":"new"}
  orjson   {"name":"plum"}
  msgspec  {"name":"plum"}
Slotted
  asdict   {'name': 'plum', 'status': 'new'}
  pydantic {"name":"plum","status":"new"}
  orjson   {"name":"plum","status":"new"}
  msgspec  {"name":"plum","status":"new"}
END
