"""The examples of docs/tracing.md."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "tracing.md"
TRACE = "0af7651916cd43dd8448eb211c80319c"
"""The trace that the tests' requests belong to, by their `traceparent`."""


def example(tool: str, number: int = 0, changes: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run an example of the section on a tool, with some text in favour of another, and give its names."""
    section = PAGE.read_text("utf-8").partition(f": {tool}\n")[2].partition("\n## ")[0]
    code = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[number]
    for old, new in (changes or {}).items():
        assert old in code, f"docs/tracing.md no longer has {old!r}"
        code = code.replace(old, new)
    names: dict[str, Any] = {"__name__": "shop"}
    exec(compile(code, str(PAGE), "exec"), names)
    return names
