#!/usr/bin/env bash
# A provider gives access tokens that live a minute, just long enough to ask who has logged in; the client asks at once.
#
# Guess: a token is used until it expires, as by requests-oauthlib, or is refreshed a little earlier where there is a refresh token.
# Seen: Authlib counts 60 s as over (`leeway`), without a refresh token too. The request is never sent: InvalidTokenError, "token_invalid:", as if the provider
# had refused it. `AsyncOAuth2Client(leeway=5)` is the way out. Beside it: Authlib 1.9 speaks by httpx2, and warns where only httpx is installed.
source "$(dirname "$0")/_setup.sh"
packages authlib==1.9.10 httpx2==2.16.2 httpx==0.28.1 requests-oauthlib==2.0.0

cat >try.py <<'END'
import asyncio

import authlib.integrations.httpx_client._compat as compat
import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client
from requests_oauthlib import OAuth2Session


async def asked(lifetime, **options):
    def provider(request):
        if request.url.path == "/token":
            return httpx2.Response(200, json={"access_token": "a", "token_type": "bearer", "expires_in": lifetime})
        return httpx2.Response(200, json={"sub": "ann"})

    async with AsyncOAuth2Client("client", "secret", transport=httpx2.MockTransport(provider), **options) as client:
        await client.fetch_token("https://id.example/token", code="code")
        try:
            return (await client.get("https://id.example/userinfo")).json()
        except Exception as error:
            return f"{type(error).__name__}: {error}"


print("speaks by", compat.httpx2.__name__)
print("an hour:", asyncio.run(asked(3600)))
print("a minute:", asyncio.run(asked(60)))
print("a minute, leeway=5:", asyncio.run(asked(60, leeway=5)))
token = {"access_token": "a", "token_type": "Bearer", "expires_in": 60}
url, headers, _ = OAuth2Session("client", token=token)._client.add_token("https://id.example/userinfo", headers={})
print("requests-oauthlib, a minute:", headers)
END
seen python try.py <<'END'
speaks by httpx2
an hour: {'sub': 'ann'}
a minute: InvalidTokenError: token_invalid: 
a minute, leeway=5: {'sub': 'ann'}
requests-oauthlib, a minute: {'Authorization': 'Bearer a'}
END
