#!/usr/bin/env bash
# The URL comes from the environment and has options of its own; the code insists on others: Redis.from_url(url, socket_timeout=5).
#
# Guess: what is said in the code, by keyword, counts over what a URL says, as in most clients (SQLAlchemy's connect_args, httpx, boto3).
# Seen: in redis-py the URL wins, for both clients, without a word: `?socket_timeout=600` in a configuration takes a bound away that the code relies on, and
# `?decode_responses=no` turns decoding on, since any text is true there.
source "$(dirname "$0")/_setup.sh"
packages redis==8.1.0

cat >try.py <<'END'
import redis
import redis.asyncio

URL = "redis://localhost/0?socket_timeout=600&decode_responses=no&client_name=from-the-url"
for name, client in ("sync", redis.Redis), ("asyncio", redis.asyncio.Redis):
    made = client.from_url(URL, socket_timeout=5, decode_responses=False, client_name="from-the-code")
    kept = made.connection_pool.connection_kwargs
    print(name, *(f"{option}={kept[option]!r}" for option in ("socket_timeout", "decode_responses", "client_name")))
    print("  answers are", "text" if made.connection_pool.get_encoder().decode_responses else "bytes")
END
seen python try.py <<'END'
sync socket_timeout=600.0 decode_responses='no' client_name='from-the-url'
  answers are text
asyncio socket_timeout=600.0 decode_responses='no' client_name='from-the-url'
  answers are text
END
