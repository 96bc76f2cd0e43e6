#!/usr/bin/env bash
# One process (or folder) has a Jinja2 environment with `enable_async`, and one without, and both use the same FileSystemBytecodeCache.
#
# Guess: the cache keeps them apart: what they compile differs.
# Seen: its key is the template's name and path, its checksum the source: who comes second gets the other's code and fails,
# and which of the two that is depends on who was first since the template changed.
source "$(dirname "$0")/_setup.sh"
packages jinja2==3.1.6

mkdir templates
echo '{% for pie in pies %}{{ loop.index }} {{ pie }} {% endfor %}' >templates/menu.txt
cat >try.py <<'END'
import asyncio, shutil
from pathlib import Path
from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader

def environment(*, enable_async):
    Path("cache").mkdir(exist_ok=True)
    return Environment(
        loader=FileSystemLoader("templates"), bytecode_cache=FileSystemBytecodeCache("cache"), enable_async=enable_async
    )

def sync():
    return environment(enable_async=False).get_template("menu.txt").render(pies=["plum"])

def asynchronous():
    return asyncio.run(environment(enable_async=True).get_template("menu.txt").render_async(pies=["plum"]))

def outcome(render):
    try:
        return repr(render())
    except Exception as error:
        return f"{type(error).__name__}: {error}"

for first, second in ((sync, asynchronous), (asynchronous, sync)):
    shutil.rmtree("cache", ignore_errors=True)
    print(f"{first.__name__} first:", outcome(first), "| then the other:", outcome(second))
END
seen python try.py <<'END'
sync first: '1 plum ' | then the other: TypeError: 'async for' requires an object with __aiter__ method, got generator
asynchronous first: '1 plum ' | then the other: TypeError: can only join an iterable
END
