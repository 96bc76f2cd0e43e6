"""A parameter annotated `Faults`: the handler runs whatever was sent, and shows the form again."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from micropie import (
    App,
    Cookie,
    Fault,
    Faults,
    FromBody,
    FromPath,
    FromSession,
    Header,
    HTTPError,
    InvalidInput,
    UploadedFile,
    WebSocket,
    limits,
    methods,
)
from tests.client import http
from tests.wire import websocket


def shown(faults: Faults) -> list[list[str]]:
    return [list(fault) for fault in faults]


@dataclass
class Address:
    zip: int


@dataclass
class Order:
    name: str
    count: int
    tags: list[int]
    address: Address | None = None


class Pictures(App):
    """A form with a file, which is shown again."""

    @methods("POST")
    @limits(max_upload_size=1000)
    async def add(self, title: str, picture: UploadedFile, faults: Faults):
        if faults:
            return self._form(422, faults)
        return 201, [title, len(await picture.read())]

    def _form(self, status, faults):
        return status, {"title": faults["title"], "picture": faults["picture"]}

    async def _on_error(self, error):
        if isinstance(error, HTTPError) and error.status == 413:
            faults = Faults()
            faults.add("picture", "expected at most 1000 bytes", "file")
            return self._form(413, faults)
        return None


TOO_LARGE = (413, {"title": "", "picture": "expected at most 1000 bytes"})


@pytest.mark.needs("multipart")
@pytest.mark.parametrize(
    ("size", "fields", "expected"),
    [
        (1000, {"title": "pie"}, (201, ["pie", 1000])),
        (1000, {}, (422, {"title": "required", "picture": ""})),
        (1001, {"title": "pie"}, TOO_LARGE),
        (1001, {}, TOO_LARGE),
        (9000, {"title": "pie"}, TOO_LARGE),
    ],
)
def test_a_form_is_shown_again_after_a_file_that_is_too_large(size, fields, expected):
    """By an `_on_error`, whether the request says its size and is not read, or is found too large on the way."""
    answer = http(Pictures(max_body_size=2000), "POST", "/add", data=fields, files={"picture": ("p", b"x" * size)})
    assert (answer.status_code, answer.json()) == expected


class Site(App):
    @methods("POST")
    async def signup(self, faults: Faults, email: str, age: int, tags: tuple[int, ...] = (), plan: str = "free"):
        status = 422 if faults else 200
        sent = {name: faults.sent(name) for name in ("email", "age", "plan", "unknown")}
        return status, {"faults": shown(faults), "values": [email, age, tags, plan], "sent": sent}

    async def search(self, page: int = 1, *, faults: Faults):
        return {"page": page, "message": faults["page"], "wrong": "page" in faults, "sent": faults.sent("page")}

    async def show(self, number: int, faults: Faults):
        return {"number": number, "faults": shown(faults), "sent": faults.sent("number")}

    async def many(self, faults: Faults, *numbers: int):
        return {"numbers": numbers, "faults": shown(faults), "sent": faults.sent_list("numbers")}

    async def rest(self, faults: Faults, **numbers: int):
        return {"numbers": numbers, "faults": shown(faults)}

    @methods("POST")
    async def order(self, order: Order, faults: Faults):
        names = ("name", "count", "tags", "tags[0]", "tags[1]", "tags[9]", "tags[x]", "address.zip", "address.zip.x")
        return {
            "order": order,
            "faults": {fault.name: fault.message for fault in faults},
            "sent": {name: faults.sent_list(name) for name in names},
        }

    async def places(
        self,
        faults: Faults,
        x_count: Annotated[int, Header()] = 0,
        size: Annotated[int, Cookie()] = 0,
        user: Annotated[int, FromSession()] = 0,
    ):
        return {name: [faults[name], faults.sent(name)] for name in ("x-count", "size", "user")}

    @methods("POST")
    async def photo(self, faults: Faults, title: str, picture: UploadedFile, count: int = 1):
        body = None if faults else (await picture.read()).decode()
        names = ("title", "picture", "count")
        return {"faults": shown(faults), "body": body, "sent": [faults.sent(name) for name in names]}

    @methods("POST")
    def photo_in_thread(self, faults: Faults, picture: UploadedFile | None = None):
        return {"faults": shown(faults), "picture": picture is None}

    @methods("POST")
    async def taken(self, email: str, faults: Faults):
        faults.add("email", "is taken")
        faults.add("page", "is gone", "query")
        return {"faults": shown(faults), "count": len(faults), "sent": faults.sent("email")}

    @methods("POST")
    async def refuse(self, email: str, faults: Faults):
        faults.add("email", "is taken")
        raise InvalidInput(faults)

    @methods("POST")
    async def whole(self, numbers: Annotated[list[int], FromBody()], faults: Faults):
        return {"numbers": numbers, "faults": shown(faults), "sent": faults.sent_list("numbers")}

    @methods("POST")
    async def choose(self, faults: Faults, kind: Annotated[Literal["a", "b"], FromPath()]):
        return {"kind": kind, "faults": shown(faults), "sent": faults.sent("kind")}

    async def ws_join(self, ws: WebSocket, room: int, faults: Faults):
        await ws.accept()
        await ws.send_json({"room": room, "faults": shown(faults), "sent": faults.sent("room")})


def test_what_fits_has_no_faults():
    """The faults are falsy, and say what was sent all the same."""
    reply = http(Site(), "POST", "/signup", data={"email": "a@b.example", "age": "7", "tags": ["1", "2"]})
    assert (reply.status_code, reply.json()) == (
        200,
        {
            "faults": [],
            "values": ["a@b.example", 7, [1, 2], "free"],
            "sent": {"email": "a@b.example", "age": "7", "plan": "", "unknown": ""},
        },
    )


def test_all_faults_arrive_with_what_was_sent():
    """A missing value is None, one that does not fit its default or None; each text is there as it was sent."""
    reply = http(Site(), "POST", "/signup", data={"age": " seven", "tags": ["1", "two"]})
    assert (reply.status_code, reply.json()) == (
        422,
        {
            "faults": [
                ["body", "email", "required"],
                ["body", "age", "expected an integer"],
                ["body", "tags[1]", "expected an integer"],
            ],
            "values": [None, None, [], "free"],
            "sent": {"email": "", "age": " seven", "plan": "", "unknown": ""},
        },
    )


def test_json_has_faults_too():
    """What is no text is shown as the JSON that it was."""
    reply = http(Site(), "POST", "/signup", json={"email": ["x"], "age": 1.5, "plan": "pro"})
    assert reply.status_code == 422
    assert reply.json()["sent"] == {"email": "x", "age": "1.5", "plan": "pro", "unknown": ""}


def test_a_body_that_is_none_of_its_kind_is_refused_as_ever():
    """What can't be read has no values to show again."""
    reply = http(Site(), "POST", "/signup", content=b"{", headers={"Content-Type": "application/json"})
    assert reply.status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"page": 1, "message": "", "wrong": False, "sent": ""}),
        ("page=2", {"page": 2, "message": "", "wrong": False, "sent": "2"}),
        ("page=two", {"page": 1, "message": "expected an integer", "wrong": True, "sent": "two"}),
    ],
)
def test_a_query_has_faults(query, expected):
    """A keyword-only `Faults` is filled too; a value that does not fit is its default."""
    assert http(Site(), path="/search", query=query).json() == expected


def test_a_path_has_faults():
    """A segment that does not fit is shown as it was decoded; one segment too many is refused as ever."""
    expected = {"number": None, "faults": [["path", "number", "expected an integer"]], "sent": "<x>"}
    assert http(Site(), path="/show/%3Cx%3E").json() == expected
    assert http(Site(), path="/show/1").json() == {"number": 1, "faults": [], "sent": "1"}
    assert http(Site(surplus_path_status=404), path="/show/1/2").status_code == 404


def test_the_rest_of_a_path_has_faults():
    """Of `*args` each that does not fit is None."""
    expected = {"numbers": [1, None], "faults": [["path", "numbers", "expected an integer"]], "sent": ["1", "x"]}
    assert http(Site(), path="/many/1/x").json() == expected


def test_keywords_have_faults():
    """Of `**kwargs` each that does not fit is None."""
    reply = http(Site(), path="/rest", query="a=1&b=x").json()
    assert reply["numbers"] == {"a": 1, "b": None}
    assert [fault[2] for fault in reply["faults"]] == ["expected an integer"]


def test_a_record_in_a_form_has_faults_by_its_members():
    """The record is None; the texts of its fields are there by their names."""
    reply = http(Site(), "POST", "/order", data={"count": "many", "tags": ["1", "x"]}).json()
    assert reply["order"] is None
    assert reply["faults"] == {
        "name": "required",
        "count": "expected an integer",
        "tags[1]": "expected an integer",
    }
    assert reply["sent"]["count"] == ["many"]
    assert reply["sent"]["tags"] == ["1", "x"]
    assert reply["sent"]["tags[1]"] == ["x"]


def test_a_record_in_json_has_faults_by_its_members():
    """Names lead into the document, faults and texts alike."""
    sent = {"name": "Ann", "count": 2, "tags": [1, "x"], "address": {"zip": "none"}}
    reply = http(Site(), "POST", "/order", json=sent).json()
    assert reply["faults"] == {"tags[1]": "expected an integer", "address.zip": "expected an integer"}
    assert reply["sent"] == {
        "name": ["Ann"],
        "count": ["2"],
        "tags": ["1", "x"],
        "tags[0]": ["1"],
        "tags[1]": ["x"],
        "tags[9]": [],
        "tags[x]": [],
        "address.zip": ["none"],
        "address.zip.x": [],
    }


def test_a_record_of_a_form_without_fields_has_faults():
    """Nothing at all is shown as nothing."""
    reply = http(Site(), "POST", "/order").json()
    assert reply["order"] is None
    assert "name" in reply["faults"] or "order" in reply["faults"]


@pytest.mark.needs("pydantic")
def test_a_model_has_faults_by_its_members():
    """pydantic's faults come under the names of the form."""
    from pydantic import BaseModel, Field

    class Person(BaseModel):
        full_name: str = Field(alias="fullName", min_length=2)
        age: int

    class People(App):
        @methods("POST")
        async def add(self, person: Person, faults: Faults):
            return {name: [faults[name], faults.sent(name)] for name in ("fullName", "age")}

    reply = http(People(), "POST", "/add", data={"fullName": "x", "age": "seven"}).json()
    assert [sent for _, sent in reply.values()] == ["x", "seven"]
    assert all(message for message, _ in reply.values())


@pytest.mark.needs("msgspec")
def test_a_struct_has_faults():
    """msgspec tells one fault at a time."""
    import msgspec

    class Person(msgspec.Struct):
        name: str
        age: int

    class People(App):
        @methods("POST")
        async def add(self, person: Person, faults: Faults):
            return {"count": len(faults), "person": person, "sent": [faults.sent(name) for name in ("name", "age")]}

    reply = http(People(), "POST", "/add", data={"name": "Ann", "age": "seven"}).json()
    assert reply == {"count": 1, "person": None, "sent": ["Ann", "seven"]}


def test_headers_and_cookies_have_faults_and_a_session_tells_nothing():
    """What the client has not sent is not shown as what it sent."""
    headers = {"X-Count": "x", "Cookie": "size=y"}
    expected = {"x-count": ["expected an integer", "x"], "size": ["expected an integer", "y"], "user": ["", ""]}
    assert http(Site(), path="/places", headers=headers).json() == expected


def test_a_value_of_the_session_is_not_shown():
    """A session's value that does not fit is a fault, and is none of the texts that were sent."""

    class Account(App):
        async def log_in(self):
            self.request.session["user"] = "secret"
            return "in"

        async def index(self, user: Annotated[int, FromSession()], faults: Faults):
            return [faults["user"], faults.sent("user")]

    app = Account()
    cookie = http(app, path="/log_in").headers["set-cookie"].partition(";")[0]
    assert http(app, headers={"Cookie": cookie}).json() == ["expected an integer", ""]


@pytest.mark.needs("multipart")
def test_an_upload_has_faults():
    """A form with a file input: the file's name and the other fields are there as they were sent."""
    whole = http(Site(), "POST", "/photo", data={"title": "Pie"}, files={"picture": ("pie.png", b"PIE")})
    assert whole.json() == {"faults": [], "body": "PIE", "sent": ["Pie", "pie.png", ""]}
    broken = http(Site(), "POST", "/photo", data={"count": "x"}, files={"picture": ("pie.png", b"PIE")})
    faults = [["body", "title", "required"], ["body", "count", "expected an integer"]]
    assert broken.json() == {"faults": faults, "body": None, "sent": ["", "pie.png", "x"]}


@pytest.mark.needs("multipart")
@pytest.mark.parametrize("empty", [{"picture": ("", b"")}, {"other": ("x", b"x")}])
def test_a_missing_file_is_a_fault(empty):
    """A file input that was left empty is what browsers send for none."""
    reply = http(Site(), "POST", "/photo", data={"title": "Pie"}, files=empty).json()
    assert reply == {"faults": [["file", "picture", "required"]], "body": None, "sent": ["Pie", "", ""]}


@pytest.mark.needs("multipart")
def test_text_in_place_of_a_file_is_a_fault():
    """It is shown as it was sent; the handler, which runs in a thread, gets the default."""
    reply = http(Site(), "POST", "/photo_in_thread", data={"picture": "text"}, files={"other": ("x", b"x")}).json()
    assert reply == {"faults": [["file", "picture", "expected a file"]], "picture": True}


def test_a_handler_adds_faults_of_its_own():
    """They stand beside the others."""
    reply = http(Site(), "POST", "/taken", data={"email": "a@b.example"}).json()
    faults = [["body", "email", "is taken"], ["query", "page", "is gone"]]
    assert reply == {"faults": faults, "count": 2, "sent": "a@b.example"}


def test_faults_can_be_raised():
    """Who wants the ordinary answer after all raises it."""
    reply = http(Site(), "POST", "/refuse", data={"email": "a@b.example"})
    assert (reply.status_code, "is taken" in reply.text) == (400, True)


def test_a_whole_body_has_faults():
    """A list of JSON that is one parameter."""
    reply = http(Site(), "POST", "/whole", json=[1, "x"]).json()
    assert reply == {"numbers": None, "faults": [["body", "[1]", "expected an integer"]], "sent": ["1", "x"]}


def test_a_large_body_has_faults():
    """One that is converted in a thread."""
    reply = http(Site(), "POST", "/signup", data={"email": "x" * 20_000, "age": "seven"})
    assert (reply.status_code, len(reply.json()["sent"]["email"])) == (422, 20_000)


def test_no_more_than_fifty_faults_are_told():
    """As many as any client is told."""
    reply = http(Site(), "POST", "/signup", data={"email": "x", "age": "1", "tags": ["x"] * 70})
    assert len(reply.json()["faults"]) == 50


def test_a_path_parameter_of_a_post_has_faults():
    """`FromPath()` as ever."""
    expected = {"kind": None, "faults": [["path", "kind", "expected one of: a, b"]], "sent": "c"}
    assert http(Site(), "POST", "/choose/c").json() == expected


def test_a_websocket_handler_has_faults():
    """The handler answers by itself, where it would be refused."""
    sent = websocket(Site(), "/join", query="room=x", send=[]).sent
    assert sent == ['{"room":null,"faults":[["query","room","expected an integer"]],"sent":"x"}']


def test_other_handlers_are_refused_as_ever():
    """Only who asks for the faults gets them."""

    class Plain(App):
        async def index(self, n: int):
            return n

    assert http(Plain(), query="n=x").status_code == 400


def test_faults_without_a_request():
    """What a form that nobody has filled in yet is shown with."""
    faults = Faults()
    assert (bool(faults), len(faults), list(faults), faults["x"], faults.sent("x"), "x" in faults) == (
        *(False, 0, [], "", "", False),
    )
    faults.add("x", "is wrong")
    assert list(faults) == [Fault("body", "x", "is wrong")]


def test_parallel_requests_have_their_own():
    """Nothing is shared."""

    class Slow(App):
        async def index(self, n: int, faults: Faults):
            await asyncio.sleep(0)
            return [faults.sent("n"), len(faults)]

    app = Slow()
    assert http(app, query="n=x").json() == ["x", 1]
    assert http(app, query="n=1").json() == ["1", 0]


FORM = """<form method="post">
<input name="email" value="{{ faults.sent("email") }}"> {{ faults["email"] }}
<textarea name="text">{{ faults.sent("text") }}</textarea> {{ faults.text }}
{% for fault in faults %}<li>{{ fault.name }}: {{ fault.message }}</li>{% endfor %}
</form>"""


@pytest.mark.needs("jinja2")
@pytest.mark.parametrize("hostile", ['"><script>alert(1)</script>', "</textarea><script>alert(1)</script>", "' onx='"])
def test_what_was_sent_is_escaped(tmp_path, hostile):
    """A value that is shown again is text, whatever it says."""
    (tmp_path / "form.html").write_text(FORM, encoding="utf-8")

    class Pages(App):
        @methods("POST")
        async def index(self, faults: Faults, email: int, text: int, **more: int):
            return 422, await self._render_template("form.html", faults=faults)

    reply = http(Pages(templates=str(tmp_path)), "POST", "/", data={"email": hostile, "text": hostile, hostile: "x"})
    assert reply.status_code == 422
    assert hostile not in reply.text
    assert "<script" not in reply.text
    assert reply.text.count("expected an integer") >= 4


def test_an_error_of_the_handler_is_as_ever():
    """`HTTPError` answers, with faults or without."""

    class Refusing(App):
        async def index(self, n: int, faults: Faults) -> Any:
            raise HTTPError(409, faults["n"])

    assert http(Refusing(), query="n=x").text == "409 Conflict: expected an integer"
