"""examples/cookies."""

import pytest

from micropie.auth import Signer


def test_an_open_cookie_is_set_read_and_deleted(client):
    """Scripts may read it."""
    answer = client.post("/theme", data={"name": "dark"})
    assert answer.headers.get_list("set-cookie") == ["theme=dark; Max-Age=31536000; Path=/; SameSite=Lax"]
    assert client.get("/").json() == {"theme": "dark", "discount": 0}
    assert [line.split("; ")[1] for line in client.post("/forget").headers.get_list("set-cookie")] == ["Max-Age=0"] * 2
    assert client.get("/").json() == {"theme": "light", "discount": 0}


def test_a_signed_cookie(client):
    """It holds what the server has said; scripts can't read it."""
    answer = client.post("/coupon", data={"code": "PIE-DAY"})
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert client.get("/").json()["discount"] == 20
    assert client.post("/coupon", data={"code": "FREE"}).status_code == 404


def test_a_signed_cookie_goes_over_https_only(client):
    """Where the visitor comes by https."""
    answer = client.post("https://testserver/coupon", data={"code": "PIE-DAY"})
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("made_up", ["", "made.up", Signer("x" * 32, purpose="coupon").sign({"percent": 100}, 60)])
def test_a_made_up_coupon_is_none(client, made_up):
    """And it locks nobody out."""
    assert client.get("/", cookies={"coupon": made_up}).json() == {"theme": "light", "discount": 0}


def test_a_theme_that_there_is_not(client):
    """It is the client's fault, whether it is sent as a field or as a cookie."""
    assert client.post("/theme", data={"name": "pink"}).status_code == 400
    assert client.get("/", cookies={"theme": "pink"}).status_code == 400
