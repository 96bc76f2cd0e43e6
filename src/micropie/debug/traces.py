"""Exceptions as data for a debug page: message, notes and frames of each, and the exceptions that caused it."""

import linecache
from collections.abc import Callable, Iterator
from itertools import islice
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, NamedTuple

from micropie.debug.paths import is_application_code, is_framework_code
from micropie.debug.redaction import LIMIT, kind_of, redacted, redacted_repr, truncated
from micropie.debug.source_redaction import redacted_line, redacted_python

_AROUND = 5  # lines of source before and after the one where a frame stands
_MAX_LINE = 300  # characters of a line of source
_MAX_READ = 2 * _MAX_LINE  # characters of a line that are looked at, so that no secret is cut in two before it is found
_MAX_STATEMENT = 20  # lines of a statement that are looked at beyond those that are shown
_ENDS = 12  # frames at the beginning and at the end of a long traceback that are shown
_MAX_LOCALS = 60
_UNTOLD = (ModuleType, type, FunctionType)
_MAX_NOTES = 20
_MAX_TRACES = 20  # exceptions of one failure
_BUDGET = 300_000  # characters of source and variables, of all exceptions together

Columns = tuple[int, int]  # from and to


class Line(NamedTuple):
    """A line of source: its number, its text, and which columns are being executed, if any."""

    number: int
    text: str
    columns: Columns | None


class Frame(NamedTuple):
    """One call of a traceback, at its current `line`; `is_application_code` is false for a function of a package."""

    file: str
    line: int
    function: str
    is_application_code: bool
    source: list[Line]
    variables: list[tuple[str, str]]


class Trace(NamedTuple):
    """One exception. `how` is its relation to the one before; `left_out` frames are missing in the middle."""

    how: str
    kind: str
    message: str
    notes: list[str]
    frames: list[Frame]
    left_out: int

    @property
    def omission(self) -> str:
        """How many frames are missing."""
        return "1 frame" if self.left_out == 1 else f"{self.left_out} frames"


def traces_of(error: BaseException) -> list[Trace]:
    """An exception and its causes, the nearest first; the members of a group follow it."""
    reader = _Reader()
    return [reader.trace(how, one) for how, one in islice(_chain("", error, set()), _MAX_TRACES)]


def _chain(how: str, error: BaseException, seen: set[int]) -> Iterator[tuple[str, BaseException]]:
    if id(error) in seen:
        return
    seen.add(id(error))
    yield how, error
    if isinstance(error, BaseExceptionGroup):
        for number, member in enumerate(error.exceptions, 1):
            yield from _chain(f"Member {number} of {len(error.exceptions)} of the group", member, seen)
    if error.__cause__ is not None:
        yield from _chain("Raised because of", error.__cause__, seen)
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _chain("Raised while handling", error.__context__, seen)


def without_values(traces: list[Trace], hide: Callable[[str], str]) -> list[Trace]:
    """The traces, with each message, note and variable as a function leaves it."""
    return [
        trace._replace(
            message=hide(trace.message),
            notes=list(map(hide, trace.notes)),
            frames=[
                frame._replace(variables=[(name, hide(text)) for name, text in frame.variables])
                for frame in trace.frames
            ],
        )
        for trace in traces
    ]


class _Reader:
    """Reads frames, until there is enough to read; further ones are named only."""

    def __init__(self) -> None:
        self._left = _BUDGET
        self._redacted: dict[tuple[str, int, int], list[str]] = {}  # from which line to which of a file

    def trace(self, how: str, error: BaseException) -> Trace:
        """An exception and its frames, without the middle of very many."""
        positions = list(_positions(error.__traceback__))
        left_out = max(0, len(positions) - 2 * _ENDS)
        chosen = positions[:_ENDS] + positions[-_ENDS:] if left_out else positions
        frames = [self._frame(*position) for position in chosen]
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            frames.append(self._unread(error.filename, error.lineno))
        return Trace(how, kind_of(error, "__qualname__"), _text_of(error), _notes(error), frames, left_out)

    def _frame(self, frame: FrameType, line: int, columns: Columns | None) -> Frame:
        code = frame.f_code
        known = Frame(code.co_filename, line, code.co_qualname, is_application_code(code.co_filename), [], [])
        if self._left <= 0:
            return known
        source = self._source(known.file, line, columns, frame.f_globals, _function_line(code))
        # What handlers are called with passes through ours, without the names that would say what is secret.
        variables = [] if is_framework_code(known.file) else _variables(frame)
        self._left -= sum(len(one.text) for one in source) + sum(len(name) + len(text) for name, text in variables)
        return known._replace(source=source, variables=variables)

    def _unread(self, file: str, line: int) -> Frame:
        """A frame for a line with a syntax error, which has none of its own."""
        return Frame(file, line, "", is_application_code(file), self._source(file, line, None, None, 1), [])

    def _source(
        self, file: str, line: int, columns: Columns | None, module: dict[str, object] | None, function_line: int
    ) -> list[Line]:
        """The lines around the one where it stands, of the function that begins above; none if they can't be read."""
        linecache.checkcache(file)
        lines = linecache.getlines(file, module)
        first, last = max(function_line, line - _AROUND), line + _AROUND
        place = (file, function_line, last)
        if place not in self._redacted:  # a recursive function's is
            read = [f"{text[:_MAX_READ].rstrip()}\n" for text in lines[function_line - 1 : last + _MAX_STATEMENT]]
            self._redacted[place] = redacted_python(read) if file.endswith(".py") else list(map(redacted_line, read))
        shown = self._redacted[place][first - function_line : last - function_line + 1]
        return [
            Line(number, _readable(text), _in_characters(lines[number - 1], columns) if number == line else None)
            for number, text in enumerate(shown, first)
        ]


def _function_line(code: CodeType) -> int:
    """The line at which the statements of a frame's code begin; those of an expression may begin anywhere before."""
    is_expression = code.co_name in ("<lambda>", "<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>")
    return 1 if is_expression or not code.co_filename.endswith(".py") else max(1, code.co_firstlineno)


def _variables(frame: FrameType) -> list[tuple[str, str]]:
    """The local variables of a frame, without modules, classes, functions and Python's own names: they tell nothing."""
    try:
        values = ((name, value) for name, value in frame.f_locals.items() if not issubclass(type(value), _UNTOLD))
        told = ((str(name), value) for name, value in values if not _is_of_python(str(name)))
        return [(name, redacted_repr(value, name)) for name, value in islice(told, _MAX_LOCALS)]
    except BaseException as error:  # a mapping of the application's own, in a class body or given to `exec`
        return [("…", f"<variables, whose reading raises {kind_of(error)}>")]


def _is_of_python(name: str) -> bool:
    """True for a name such as `__builtins__`, which a module that fails while it is imported has a dozen of."""
    return name.startswith("__") and name.endswith("__")


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)  # anybody may set it, to anything
    return list(map(_text_of, notes[:_MAX_NOTES])) if isinstance(notes, list) else []


def _text_of(value: Any) -> str:
    """The text of an exception or a note, redacted and cut; or else the exception that it raises."""
    try:
        return redacted(truncated([str(value)], 8 * LIMIT), 4 * LIMIT)
    except BaseException as broken:
        return f"<its __str__ raises {kind_of(broken)}>"


def _positions(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int, Columns | None]]:
    """Each frame, the line where it stands, and the columns if they are of that line alone."""
    while traceback is not None:
        code, instruction = traceback.tb_frame.f_code, traceback.tb_lasti
        line, last, start, end = next(islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
        is_of_line = line == last == traceback.tb_lineno and start is not None and end is not None
        yield traceback.tb_frame, traceback.tb_lineno, (start or 0, end or 0) if is_of_line else None
        traceback = traceback.tb_next


def _readable(text: str) -> str:
    return text.rstrip()[:_MAX_LINE].encode("utf-8", "backslashreplace").decode()


def _in_characters(text: str, columns: Columns | None) -> Columns | None:
    """Columns that are counted in UTF-8 bytes, in characters; None if they are the whole line."""
    if columns is None:
        return None
    raw = text.encode("utf-8", "surrogatepass")
    start, end = (len(raw[:column].decode("utf-8", "replace")) for column in columns)
    is_all = not text[:start].strip() and not text[end:].strip()
    return None if is_all or end > _MAX_LINE else (start, end)
