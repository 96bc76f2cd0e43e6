"""Source for a debug page: a statement that names a secret shows no literals, which may be that secret.

Bullets take the place of as many characters, so that the columns of a line stay what they are.
"""

import re
import tokenize
from collections.abc import Iterator
from io import StringIO
from keyword import iskeyword

from micropie.debug.redaction import is_secret, without_secrets

Span = tuple[int, int, int, bool]  # a line's number from 0, from which column to which; hide all of it?

# f-strings have tokens of their own since Python 3.12, t-strings since 3.14
_STARTS, _MIDDLES, _ENDS = (
    {getattr(tokenize, f"{kind}STRING_{part}", None) for kind in "FT"} for part in ("START", "MIDDLE", "END")
)
_LITERALS = {tokenize.STRING, tokenize.NUMBER, tokenize.COMMENT, *_MIDDLES}
_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}
_CONTAINERS = re.compile("sessions?|cookies?", re.IGNORECASE)  # what stands beside them in a statement is mostly a key
_LITERAL = re.compile(r"""[a-zA-Z]{0,2}(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\b[0-9][\w.]*""")
_NAME = re.compile(r"[^\W\d]\w*")
_KEY_OF_LINE = re.compile(
    r"""(?:^|[{,])\s*(?P<entry>["'][^"']*["'])\s*:"""  # of a dict
    r"""|[\w)\]]\[(?P<item>["'][^"']*["'])\]"""
    r"""|\b(?:name|type|id|for|autocomplete)=(?P<attribute>["'][^"']*["'])"""  # of HTML
)


def redacted_python(lines: list[str]) -> list[str]:
    """Lines that begin with a statement of Python; from where they can't be read as such line by line."""
    kept = list(lines)
    statement: list[tokenize.TokenInfo] = []
    last = 0  # the line of the last token, from 0
    try:
        for token in tokenize.generate_tokens(StringIO("".join(lines)).readline):
            statement.append(token)
            last = token.end[0] - 1
            if token.type == tokenize.NEWLINE:
                _hide_in(kept, statement)
                statement.clear()
    except (tokenize.TokenError, SyntaxError, ValueError):
        kept[last:] = map(redacted_line, kept[last:])
    _hide_in(kept, statement)  # the last one may be cut off
    return kept


def _hide_in(lines: list[str], statement: list[tokenize.TokenInfo]) -> None:
    for row, start, end, is_hidden in _spans(statement):
        lines[row] = _with_bullets(lines[row], start, end, is_hidden=is_hidden)


def redacted_line(line: str) -> str:
    """A line of a template, or of what can't be read as Python."""
    literals = list(_LITERAL.finditer(line))
    keys = {match.span(match.lastgroup or 0) for match in _KEY_OF_LINE.finditer(line)}
    names = _NAME.findall(_LITERAL.sub(" ", line))
    names += [literal[0].strip("\"'") for literal in literals]
    is_hidden = any(map(_names_secret, filter(str.isidentifier, names)))
    for literal in literals:
        line = _with_bullets(line, *literal.span(), is_hidden=is_hidden and literal.span() not in keys)
    return line


def _spans(statement: list[tokenize.TokenInfo]) -> Iterator[Span]:
    """The literals and comments of a statement, on each of their lines; which are to be hidden."""
    tokens = [token for token in statement if token.type not in _LAYOUT]
    is_hidden = any(map(_names_secret, _names_in(tokens)))
    keys = set(_keys_in(tokens))
    for token in statement:
        if token.type in _LITERALS:
            (first, start), (last, end) = token.start, token.end
            for number, line in enumerate(token.string.split("\n"), first):
                left = start if number == first else 0
                right = end if number == last else left + len(line)
                yield number - 1, left, right, is_hidden and token not in keys


def _names_in(tokens: list[tokenize.TokenInfo]) -> Iterator[str]:
    """The names of a statement, those that texts such as `"password"` are among them, but for those in f-strings."""
    depth = 0
    for token in tokens:
        depth += (token.type in _STARTS) - (token.type in _ENDS)
        text = token.string.strip("\"'").replace("-", "_")
        if token.type in (tokenize.NAME, tokenize.STRING) and not depth and text.isidentifier() and not iskeyword(text):
            yield text


def _keys_in(tokens: list[tokenize.TokenInfo]) -> Iterator[tokenize.TokenInfo]:
    """The texts that are keys: of an entry in a dict, between its brackets, or of an item behind a value."""
    opened: list[str] = []  # brackets
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if token.string in ("(", "{", "["):
            opened.append("item" if token.string == "[" and _is_value(before) else token.string)
        elif token.string in (")", "}", "]"):
            opened[-1:] = []
        elif token.type == tokenize.STRING and opened and before is not None and after is not None:
            is_entry = opened[-1] == "{" and before.string in ("{", ",") and after.string == ":"
            if is_entry or (opened[-1] == "item" and (before.string, after.string) == ("[", "]")):
                yield token


def _is_value(token: tokenize.TokenInfo | None) -> bool:
    """True for the end of an expression, behind which a bracket opens an item."""
    return token is not None and (
        token.string in (")", "]") or (token.type == tokenize.NAME and not iskeyword(token.string))
    )


def _names_secret(name: str) -> bool:
    return is_secret(_CONTAINERS.sub("", name))


def _with_bullets(line: str, start: int, end: int, *, is_hidden: bool) -> str:
    """A line without a literal; or else without the secrets that the literal itself names, as a URL's."""
    literal = line[start:end]
    return line[:start] + (_bullets(literal) if is_hidden else without_secrets(literal, _bullets)) + line[end:]


def _bullets(text: str) -> str:
    return "•" * len(text)
