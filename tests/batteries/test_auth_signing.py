"""`micropie.auth`: values that come back through other people's hands."""

import re
import string

import pytest

from micropie import App
from micropie.auth import ExpiredToken, InvalidToken, Signer, same_secret
from micropie.sessions import SignedCookieSessionBackend
from tests.client import http, run

SECRET, NEW_SECRET = "0123456789abcdef" * 2, "fedcba9876543210" * 2
HOUR = 3600


def signer(*secrets, purpose="password reset"):
    return Signer(*(secrets or (SECRET,)), purpose=purpose)


@pytest.mark.parametrize("value", [7, "ann", None, True, 1.5, [1, "é", "🥧"], {"user": 7, "to": "/a?b=c&d"}, "", []])
def test_a_value_comes_back_as_it_was(value):
    """Whatever JSON can hold."""
    assert signer().unsign(signer().sign(value, HOUR)) == value


def test_a_token_can_stand_in_a_url():
    """In a path, a query and a fragment, as it is."""
    for number in range(200):
        token = signer().sign({"user": number, "name": "Ännchen?&#/"}, HOUR)
        assert set(token) <= set(string.ascii_letters + string.digits + "-_.")
        assert re.fullmatch(r"[0-9a-f]{8}\.[\w-]+\.[\w-]{43}", token)


def test_a_token_expires(monkeypatch):
    """With an error of its own, which is one of those of a token that is not valid."""
    token = signer().sign(7, 1)
    assert signer().unsign(token) == 7
    for age in (0, -1, 0.5):
        with pytest.raises(ExpiredToken) as caught:
            signer().unsign(signer().sign(7, age - 1))
        assert isinstance(caught.value, InvalidToken)


def test_no_character_of_a_token_can_be_changed():
    """Nor left out, nor added."""
    token = signer().sign({"user": 7}, HOUR)
    forged = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(len(token))]
    forged += [token[:at] + token[at + 1 :] for at in range(len(token))]
    forged += [token + "A", token + ".", "." + token, token + "=", token + "\n", token.upper(), token + "." + token]
    for one in forged:
        with pytest.raises(InvalidToken, match="not valid"):
            signer().unsign(one)


@pytest.mark.parametrize("token", ["", ".", "...", "é.é.é", "\ud800", "\0", "7", "x" * 1_000_000, "a.b." + "c" * 43])
def test_what_is_no_token_is_not_valid(token):
    """Whatever it is."""
    with pytest.raises(InvalidToken):
        signer().unsign(token)


def test_a_purpose_is_not_another():
    """A link that confirms an address resets no password, whoever has cut the purposes in which way."""
    token = signer(purpose="a").sign(7, HOUR)
    for other in ("b", "", "a\0", "A", "ab"):
        with pytest.raises(InvalidToken):
            signer(purpose=other).unsign(token)


def test_a_sessions_cookie_is_no_token_and_a_token_is_no_session():
    """Though they are signed with one secret."""
    backend = SignedCookieSessionBackend(SECRET)
    cookie = run(backend.save("a.b", {"user": 7}, HOUR))
    assert cookie is not None
    for purpose in ("", "micropie.sessions.signed_cookie"):
        token = signer(purpose=purpose).sign({"user": 7}, HOUR)
        assert run(backend.load(f"a.{token}")) == run(backend.load(token)) == {}
        with pytest.raises(InvalidToken):
            signer(purpose=purpose).unsign(cookie)


def test_secrets_rotate():
    """Old ones are accepted and sign nothing; those that are left out are strangers'."""
    old, new = signer(SECRET).sign(7, HOUR), signer(NEW_SECRET, SECRET).sign(7, HOUR)
    assert signer(NEW_SECRET, SECRET).unsign(old) == signer(NEW_SECRET).unsign(new) == 7
    for secret, token in ((NEW_SECRET, old), (SECRET, new)):
        with pytest.raises(InvalidToken):
            signer(secret).unsign(token)


@pytest.mark.parametrize("secret", ["", "secret", b"x" * 31])
def test_a_secret_that_can_be_guessed_is_refused(secret):
    """With a command that makes a better one; an old one too."""
    for secrets in ((secret,), (SECRET, secret)):
        with pytest.raises(ValueError, match=r"can be guessed, at least 32 are wanted.*secrets\.token_hex"):
            Signer(*secrets, purpose="x")


@pytest.mark.parametrize("value", [float("nan"), object(), b"bytes", {1, 2}])
def test_what_json_can_not_hold_is_not_signed(value):
    """An error where it is signed."""
    with pytest.raises((TypeError, ValueError)):
        signer().sign(value, HOUR)


class Site(App):
    async def reset(self, token):
        return {"user": signer().unsign(token)}


def test_a_link_that_is_not_valid_answers_by_itself():
    """400, with a line for the visitor."""
    assert http(Site(), path=f"/reset/{signer().sign(7, HOUR)}").json() == {"user": 7}
    assert http(Site(), path="/reset/abc").text == "400 Bad Request: This link is not valid"
    answer = http(Site(), path=f"/reset/{signer().sign(7, -1)}")
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: This link has expired")


@pytest.mark.parametrize(
    ("given", "expected", "same"),
    [
        ("pie", "pie", True),
        ("pie", "Pie", False),
        ("é", "é", True),
        ("é", "e", False),
        ("\ud800", "", False),
        ("", "", True),
    ],
)
def test_secrets_are_compared(given, expected, same):
    """In any script, where hmac.compare_digest takes ASCII alone."""
    assert same_secret(given, expected) is same
