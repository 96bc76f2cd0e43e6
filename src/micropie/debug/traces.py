"""Exceptions as data for a debug page: message, notes and frames of each, and the exceptions that caused it."""

import linecache
from collections.abc import Iterator
from itertools import islice
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import NamedTuple

from micropie.debug.paths import is_application_code
from micropie.debug.redaction import LIMIT, redacted, redacted_repr, redacted_source, truncated

_AROUND = 5  # lines of source before and after the one where a frame stands
_MAX_LINE = 300  # characters of a line of source
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


class _Reader:
    """Reads frames, until there is enough to read; further ones are named only."""

    def __init__(self) -> None:
        self._left = _BUDGET

    def trace(self, how: str, error: BaseException) -> Trace:
        """An exception and its frames, without the middle of very many."""
        positions = list(_positions(error.__traceback__))
        left_out = max(0, len(positions) - 2 * _ENDS)
        chosen = positions[:_ENDS] + positions[-_ENDS:] if left_out else positions
        frames = [self._frame(*position) for position in chosen]
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            frames.append(_unread(error.filename, error.lineno))
        return Trace(how, type(error).__qualname__, message_of(error), _notes(error), frames, left_out)

    def _frame(self, frame: FrameType, line: int, columns: Columns | None) -> Frame:
        code = frame.f_code
        known = Frame(code.co_filename, line, code.co_qualname, is_application_code(code.co_filename), [], [])
        if self._left <= 0:
            return known
        source = _source(known.file, line, columns, frame.f_globals)
        variables = _variables(frame)
        self._left -= sum(len(one.text) for one in source) + sum(len(name) + len(text) for name, text in variables)
        return known._replace(source=source, variables=variables)


def _variables(frame: FrameType) -> list[tuple[str, str]]:
    """The local variables of a frame, without modules, classes and functions, which tell nothing."""
    values = ((name, value) for name, value in frame.f_locals.items() if not isinstance(value, _UNTOLD))
    return [(name, redacted_repr(value, name)) for name, value in islice(values, _MAX_LOCALS)]


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)  # anybody may set it, to anything
    return [redacted(truncated([str(note)])) for note in notes[:_MAX_NOTES]] if isinstance(notes, list) else []


def message_of(error: BaseException) -> str:
    """The message of an exception, redacted and cut."""
    try:
        return redacted(truncated([str(error)], 4 * LIMIT))
    except Exception as broken:
        return f"<its __str__ raises {type(broken).__name__}>"


def _positions(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int, Columns | None]]:
    """Each frame, the line where it stands, and the columns if they are of that line alone."""
    while traceback is not None:
        code, instruction = traceback.tb_frame.f_code, traceback.tb_lasti
        line, last, start, end = next(islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
        is_of_line = line == last == traceback.tb_lineno and start is not None and end is not None
        yield traceback.tb_frame, traceback.tb_lineno, (start or 0, end or 0) if is_of_line else None
        traceback = traceback.tb_next


def _unread(file: str, line: int) -> Frame:
    """A frame for a line with a syntax error, which has none of its own."""
    return Frame(file, line, "", is_application_code(file), _source(file, line, None, None), [])


def _source(file: str, line: int, columns: Columns | None, module: dict[str, object] | None) -> list[Line]:
    """The lines around the one where it stands; none if they can't be read."""
    linecache.checkcache(file)
    lines = linecache.getlines(file, module)
    first = max(1, line - _AROUND)
    return [
        Line(number, _readable(text), _in_characters(text, columns) if number == line else None)
        for number, text in enumerate(lines[first - 1 : line + _AROUND], first)
    ]


def _readable(text: str) -> str:
    return redacted_source(text.rstrip()[:_MAX_LINE].encode("utf-8", "backslashreplace").decode())


def _in_characters(text: str, columns: Columns | None) -> Columns | None:
    """Columns that are counted in UTF-8 bytes, in characters; None if they are the whole line."""
    if columns is None:
        return None
    raw = text.encode("utf-8", "surrogatepass")
    start, end = (len(raw[:column].decode("utf-8", "replace")) for column in columns)
    is_all = not text[:start].strip() and not text[end:].strip()
    return None if is_all or end > _MAX_LINE else (start, end)
