"""examples/forms."""

import re

import pytest

pytestmark = [pytest.mark.needs("multipart"), pytest.mark.needs("jinja2")]

PHOTO = {"photo": ("pie.png", b"PIE", "image/png")}
WHOLE = {"name": "Ann", "slices": "8", "baked": "2024-02-29", "kinds": ["apple", "plum"]}


@pytest.fixture
def app(example, tmp_path):
    """The application, with a folder of its own."""
    (tmp_path / "kept").mkdir()
    example.Competition.entry = example.Entry(tmp_path / "kept")
    return example.Competition()


def value_of(name, page):
    """The value that an input has in the page."""
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found is not None
    return found[1]


def test_the_form_begins_empty(client):
    """Nothing is wrong with what nobody has typed yet."""
    page = client.get("/entry").text
    assert "<strong" not in page
    assert "alert" not in page
    assert value_of("name", page) == ""


def test_what_fits_is_kept(client, tmp_path):
    """The photo is stored, and the browser sent elsewhere by GET."""
    reply = client.post("/entry", data=WHOLE, files=PHOTO)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert (tmp_path / "kept" / "1.upload").read_bytes() == b"PIE"
    assert "Thank you" in client.get("/").text


def test_what_does_not_fit_is_shown_again(client, tmp_path):
    """Each field has its text and its message; nothing is stored."""
    reply = client.post("/entry", data={**WHOLE, "slices": "many", "baked": ""}, files=PHOTO)
    page = reply.text
    assert reply.status_code == 422
    assert [value_of(name, page) for name in ("name", "baked", "slices")] == ["Ann", "", "many"]
    assert '<strong id="slices-wrong">expected an integer</strong>' in page
    assert '<strong id="baked-wrong">required</strong>' in page
    assert re.findall(r'value="(\w+)" checked', page) == ["apple", "plum"]
    assert "Choose pie.png again" in page
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_missing_photo_is_told(client):
    """What browsers send for a file input that was left empty."""
    page = client.post("/entry", data=WHOLE, files={"photo": ("", b"")}).text
    assert '<strong id="photo-wrong">required</strong>' in page
    assert "again" not in page


def test_the_handler_has_faults_of_its_own(client):
    """A name counts once, and a photo is a picture."""
    assert client.post("/entry", data=WHOLE, files=PHOTO).status_code == 303
    page = client.post("/entry", data=WHOLE, files={"photo": ("pie.txt", b"PIE", "text/plain")}).text
    assert "has entered already" in page
    assert "expected a picture" in page


def test_what_was_typed_is_escaped(client):
    """No visitor writes into the page, not even by the name of a file."""
    hostile = '"><script>alert(1)</script>'
    files = {"photo": ("<script>.png", b"PIE", "image/png")}
    page = client.post("/entry", data={"name": hostile, "slices": hostile, "kinds": hostile}, files=files).text
    assert "<script" not in page
    assert "&#34;&gt;&lt;script&gt;" in page
