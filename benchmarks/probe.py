"""Runs in a fresh process: `probe.py SOURCE PACKAGE` runs a source and says what that added to it.

What asyncio doesn't load is imported after the measuring.
"""

import asyncio
import os
import sys
import time


def memory() -> int:
    """Return the resident bytes of this process (Linux)."""
    with open("/proc/self/statm") as statistics:  # noqa: PTH123 (pathlib is for the framework to load)
        return int(statistics.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def figures(source: str) -> dict:
    """Run a source under a running loop, as servers import applications."""
    modules, bytes_before = set(sys.modules), memory()
    start = time.process_time()
    exec(source, {"__name__": "app"})
    milliseconds = (time.process_time() - start) * 1000
    megabytes = (memory() - bytes_before) / 1e6
    return {"milliseconds": milliseconds, "megabytes": megabytes, "modules": len(sys.modules.keys() - modules)}


def needed(package: str) -> set[str]:
    """Return a distribution and all that it cannot do without, by their names."""
    import re
    from importlib.metadata import requires

    found, waiting = set(), [package]
    while waiting:
        name = waiting.pop().lower()
        if name not in found:
            found.add(name)
            plain = [line for line in requires(name) or [] if ";" not in line]
            waiting += [re.match(r"[\w.-]+", line)[0] for line in plain]
    return found


def disk(package: str) -> int:
    """Return the bytes of a distribution and its dependencies, without what Python compiles from them."""
    from importlib.metadata import distribution

    files = [file for name in needed(package) for file in distribution(name).files]
    return sum(file.locate().stat().st_size for file in files if not file.name.endswith(".pyc"))


async def main(source: str, package: str) -> None:
    found = figures(source)
    import json
    import platform
    from importlib.metadata import version

    found |= {"disk_kilobytes": disk(package) / 1000, "version": version(package), "python": platform.python_version()}
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
