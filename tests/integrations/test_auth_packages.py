"""docs/auth.md with the real PyJWT and the real Authlib."""

import base64
import time
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client

from micropie import App, HTTPError, Resource
from micropie.auth import BasicAuth, BearerAuth
from micropie.testing import TestClient
from tests.client import http
from tests.contract.test_docs import ROOT, fences, run_code

KEY = "32 bytes or more, or the public key of who signs them"


def shown(word: str) -> dict[str, Any]:
    """The names in the block of docs/auth.md with this word."""
    blocks = fences((ROOT / "docs" / "auth.md").read_text(encoding="utf-8"), "python")
    return run_code(next(block for block in blocks if word in block))


def token(**changes: Any) -> str:
    claims = {"sub": "ann", "aud": "pies", "exp": time.time() + 60, **changes}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, KEY, algorithm="HS256")


def asked(bearer: str) -> Any:
    return http(shown("import jwt")["app"], path="/api", headers={"Authorization": f"Bearer {bearer}"})


def test_a_json_web_token_lets_its_subject_in():
    """As PyJWT reads it."""
    assert asked(token()).json() == {"user": "ann"}


@pytest.mark.parametrize(
    "wrong",
    [
        token(exp=time.time() - 60),
        token(exp=None),
        token(sub=None),
        token(aud="cakes"),
        jwt.encode({"sub": "ann", "aud": "pies", "exp": time.time() + 60}, KEY[::-1], algorithm="HS256"),
        jwt.encode({"sub": "ann", "aud": "pies", "exp": time.time() + 60}, "", algorithm="none"),
        "abc",
    ],
)
def test_what_is_no_json_web_token_of_ours_is_refused(wrong):
    """Expired, or for ever, or of nobody, for others, by others, unsigned, none at all."""
    answer = asked(wrong)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (
        401,
        'Bearer realm="Members only", error="invalid_token"',
    )


async def is_client(name: str, password: str) -> bool:
    return (name, password) == ("client id", "client secret")


client_auth = BasicAuth(is_client)
user_auth = BearerAuth(lambda token: "ann" if token == "access" else None)


class Token(Resource):
    """The token endpoint (RFC 6749 §4.1.3), with the proof of RFC 7636."""

    _before = client_auth
    challenge = ""

    async def post(self, code: str, code_verifier: str, redirect_uri: str, grant_type: str):
        digest = base64.urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
        known = ("code", type(self).challenge, "https://pies.example/callback", "authorization_code")
        if (code, digest, redirect_uri, grant_type) != known:
            raise HTTPError(400)
        return {"access_token": "access", "token_type": "bearer", "expires_in": 3600}


class Userinfo(Resource):
    _before = user_auth

    async def get(self):
        return {"sub": self.request.state.user}


class Provider(App):
    """An identity provider, guarded by our own guards."""

    token = Token()
    userinfo = Userinfo()


@pytest.fixture
def names():
    """The page's application, whose provider is ours."""
    names = shown("import AsyncOAuth2Client")
    transport = httpx2.ASGITransport(app=Provider())

    def provider():
        return AsyncOAuth2Client(
            "client id",
            "client secret",
            redirect_uri="https://pies.example/callback",
            code_challenge_method="S256",
            transport=transport,
        )

    names["provider"] = provider
    return names


def begun(client: Any) -> dict[str, str]:
    """The query with which the provider is asked for a log-in."""
    answer = client.get("/login")
    url = urlsplit(answer.headers["location"])
    assert (answer.status_code, url.netloc, url.path) == (303, "id.example", "/authorize")
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    Token.challenge = asked["code_challenge"]
    return asked


def test_a_visitor_logs_in_with_an_account_elsewhere(names):
    """Once for each log-in that was begun here."""
    with TestClient(names["app"], base_url="https://pies.example", raise_exceptions=False) as client:
        state = begun(client)["state"]
        answer = client.get("/callback", params={"code": "code", "state": state})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.session()["_user_id"] == "ann"
        assert client.get("/callback", params={"code": "code", "state": state}).status_code == 400


@pytest.mark.parametrize("state", ["guessed", "é", None])
def test_a_log_in_that_was_not_begun_here_ends_nowhere(names, state):
    """Somebody else's code can't be smuggled in (RFC 6749 §10.12)."""
    with TestClient(names["app"], base_url="https://pies.example", raise_exceptions=False) as client:
        begun(client)
        answer = client.get("/callback", params={"code": "code", **({} if state is None else {"state": state})})
        assert answer.status_code == 400
    assert http(names["app"], path="/callback", query="code=code&state=x").status_code == 400
