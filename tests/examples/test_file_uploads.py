"""examples/file_uploads."""

import hashlib

import pytest

from tests.wire import wire

pytestmark = pytest.mark.needs("multipart")


@pytest.fixture
def app(example, tmp_path):
    """The application, with a folder of its own."""
    (tmp_path / "kept").mkdir()
    return example.Uploads(tmp_path / "kept")


def test_a_file_is_stored_and_measured(client, tmp_path):
    """The bytes on disk are those sent; the reply has their number and checksum."""
    content = bytes(range(256)) * 1000
    answer = client.post("/upload", files={"file": ("pie.bin", content)}).json()
    stored = tmp_path / "kept" / answer.pop("stored_as")
    assert stored.read_bytes() == content
    assert answer == {
        "filename": "pie.bin",
        "content_type": "application/octet-stream",
        "bytes": 256_000,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_text_is_no_file(client, tmp_path):
    """A form field of that name is refused."""
    answer = client.post("/upload", data={"file": "text"})
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Send a multipart form with a file")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_broken_upload_leaves_no_file(app, upload, tmp_path):
    """When the client leaves midway, what was stored is removed."""
    request = upload(b"x" * 100_000)
    request["body"] = request["body"][:2]
    wire(app, "POST", "/upload", **request, disconnect=True)
    assert list((tmp_path / "kept").iterdir()) == []


def test_the_form_posts_a_file(client):
    """The page has the form."""
    assert 'enctype="multipart/form-data"' in client.get("/").text
