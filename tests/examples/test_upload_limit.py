"""examples/upload_limit."""

import pytest

from tests.wire import wire

KB, MB = 1024, 1024 * 1024


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/documents", MB, 200),
        ("/documents", MB + 1, 413),
        ("/films", MB + 1, 200),
        ("/films", 16 * MB + 1, 413),
        ("/avatars/upload", 64 * KB, 200),
        ("/avatars/upload", 64 * KB + 1, 413),
    ],
)
def test_each_place_has_its_limit(client, path, size, status):
    """The site's, a handler's, a branch's."""
    assert client.post(path, files={"file": ("a.bin", bytes(size))}).status_code == status


def test_an_address_has_a_quota(client):
    """Twenty million bytes; then it is told when to come back, and others go on."""
    assert client.post("/films", files={"file": bytes(15 * MB)}).status_code == 200
    refused = client.post("/films", files={"file": bytes(6 * MB)})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 3601
    assert client.post("/films", files={"file": bytes(4 * MB)}).status_code == 200


def test_the_quota_comes_back(example, monkeypatch):
    """With the next hour."""
    times = iter([3599, 3599, 3600])
    monkeypatch.setattr(example.time, "monotonic", lambda: next(times))
    quota = example.UploadQuota(1)
    request = example.App  # nothing of it is needed but its headers
    request.header, request.scope = staticmethod({"content-length": "1"}.get), {"client": ("192.0.2.1", 1)}
    quota.before_routing(request)
    with pytest.raises(example.HTTPError):
        quota.before_routing(request)
    quota.before_routing(request)


def test_who_does_not_say_how_much_is_asked_for_it(app, upload):
    """A chunked body has no length; a text is no file."""
    sent = upload(b"x")
    sent["headers"].append(("Transfer-Encoding", "chunked"))
    assert wire(app, "POST", "/documents", **sent).status_code == 411


def test_a_text_is_no_file(client):
    """A field of that name."""
    assert client.post("/documents", data={"file": "text"}).status_code == 400
