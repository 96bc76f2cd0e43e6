"""A typed API over one collection, with its documentation: an OpenAPI document and a page to try it."""

import itertools
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from micropie import App, HTTPError, Resource, methods
from micropie.openapi import Docs


class State(Enum):
    """Where a todo stands."""

    OPEN = "open"
    DONE = "done"


@dataclass
class Draft:
    """What a client says of a todo."""

    title: str = field(metadata={"example": "Bake a pie"})
    state: State = State.OPEN
    due: date | None = None


@dataclass(kw_only=True)
class Todo(Draft):
    """A todo as it is kept."""

    id: int


@dataclass
class Change:
    """What is to be different; the rest stays."""

    title: str | None = None
    state: State | None = None
    due: date | None = None


class Todos(Resource):
    """Things to do. They live in memory."""

    def __init__(self):
        self._todos: dict[int, Todo] = {}
        self._ids = itertools.count(1)

    @methods("GET")
    async def index(self, state: State | None = None, before: date | None = None) -> list[Todo]:
        """The todos, in one state if you like, or due before a day."""
        wanted = [todo for todo in self._todos.values() if state in (None, todo.state)]
        return [todo for todo in wanted if before is None or (todo.due and todo.due < before)]

    async def get(self, id: int) -> Todo:
        """One todo.

        404: There is no such todo.
        """
        return self._found(id)

    async def post(self, draft: Draft) -> tuple[int, Todo, dict[str, str]]:
        """Add a todo.

        201: The todo as it is kept.
        """
        todo = Todo(**vars(draft), id=next(self._ids))
        self._todos[todo.id] = todo
        return 201, todo, {"Location": f"/todos/{todo.id}"}

    async def put(self, id: int, draft: Draft) -> Todo:
        """Replace a todo.

        404: There is no such todo.
        """
        self._found(id)
        self._todos[id] = Todo(**vars(draft), id=id)
        return self._todos[id]

    async def patch(self, id: int, change: Change) -> Todo:
        """Change what is given.

        404: There is no such todo.
        """
        todo = self._found(id)
        for name, value in vars(change).items():
            if value is not None:
                setattr(todo, name, value)
        return todo

    async def delete(self, id: int) -> None:
        """Remove a todo.

        404: There is no such todo.
        """
        del self._todos[self._found(id).id]

    @methods("GET")
    async def count(self) -> dict[str, int]:
        """How many there are, by state."""
        states = [todo.state for todo in self._todos.values()]
        return {state.value: states.count(state) for state in State}

    def _found(self, id):
        if id not in self._todos:
            raise HTTPError(404, "No such todo")
        return self._todos[id]


class Site(App):
    """A list of things to do."""

    todos = Todos()
    docs = Docs(title="Todo", version="1.0.0")


app = Site(surplus_path_status=404)
