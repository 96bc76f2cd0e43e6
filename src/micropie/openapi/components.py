"""The Components Object (§4.8.7): the schemas of bodies and of replies under one roof.

While a document is made each side has references of its own. In the end a class is one component where both sides say
the same of it, else the body's is called `NoteInput` beside the reply's `Note`.
"""

from collections.abc import Iterator
from typing import Any

from micropie.openapi.schemas import Named, Schema, Schemas

REFERENCE = "#/components/schemas/"
TAKEN, SENT = "#/components/taken/", "#/components/sent/"

INPUT = "Input"


class Components:
    """The schemas of one document: `taken` are those of what clients send, `sent` those of replies."""

    def __init__(self, ready: dict[str, Schema]) -> None:
        named: Named = {name: (name, schema) for name, schema in ready.items()}
        self.taken = Schemas(named, TAKEN, sent=False)
        self.sent = Schemas(named, SENT, sent=True)
        self._ready = ready

    def joined(self, document: Schema) -> tuple[Schema, dict[str, Schema]]:
        """The document and its components by name, with the references between them."""
        self._leave_out_unused(document)
        names = self._names()
        found = {
            **{REFERENCE + name: schema for name, schema in self._ready.items()},
            **{TAKEN + name: schema for name, schema in self.taken.components.items()},
            **{SENT + name: schema for name, schema in self.sent.components.items()},
        }
        references = {old: REFERENCE + name for old, name in names.items()}
        components = {
            references.get(old, old).removeprefix(REFERENCE): referring(schema, references)
            for old, schema in found.items()
        }
        return referring(document, references), dict(sorted(components.items()))

    def _leave_out_unused(self, document: Schema) -> None:
        """Forget the components that nothing refers to: of a record that the query or a form has in members."""
        line = list(references(document))
        known = {
            side.reference + name: schema
            for side in (self.taken, self.sent)
            for name, schema in side.components.items()
        }
        used = dict.fromkeys(line)
        for reference in line:  # which grows meanwhile
            inside = [one for one in references(known.get(reference)) if one not in used]
            used |= dict.fromkeys(inside)
            line += inside
        for side in (self.taken, self.sent):
            for name in [name for name in side.components if side.reference + name not in used]:
                del side.components[name]

    def _names(self) -> dict[str, str]:
        """The final name of each component, by the reference to it."""
        apart = self._apart()
        names = {SENT + name: name for name in self.sent.components}
        used = {*names.values(), *self.taken.components, *self._ready}
        for name in self.taken.components:
            final = name
            while final in used and name in apart:
                final += INPUT
            used.add(final)
            names[TAKEN + name] = final
        return names

    def _apart(self) -> set[str]:
        """The names of components that differ between the sides, or refer to one that does."""
        taken, sent = self.taken.components, self.sent.components
        both = taken.keys() & sent.keys()
        plain = {side + name: REFERENCE + name for side in (TAKEN, SENT) for name in (*taken, *sent)}
        apart = {name for name in both if referring(taken[name], plain) != referring(sent[name], plain)}
        refers = {name: {*references(taken[name]), *references(sent[name])} for name in both}
        while more := {
            name for name in both - apart if any(side + one in refers[name] for side in (TAKEN, SENT) for one in apart)
        }:
            apart |= more
        return apart


def referring(part: Any, references: dict[str, str]) -> Any:
    """The part of a document with other references in place of these."""
    if isinstance(part, dict):
        return {key: referring(one, references) for key, one in part.items()}
    if isinstance(part, list):
        return [referring(one, references) for one in part]
    return references.get(part, part) if isinstance(part, str) else part


def references(part: Any) -> Iterator[str]:
    """All references to components in a part of a document."""
    if isinstance(part, dict | list):
        for one in part.values() if isinstance(part, dict) else part:
            yield from references(one)
    elif isinstance(part, str) and part.startswith((TAKEN, SENT)):
        yield part
