"""RedisSessionBackend: sessions on a Redis or Valkey server, for any number of machines.

What changes a session is one script each, so that no other command comes between its steps.

A session is a hash, `micropie:session:HANDLE`, with a field for each item: the server itself need not read JSON. The
sessions of a user are a sorted set, `micropie:user:USER`, of their handles by the time when they expire.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from micropie import Session, SessionBackend
from micropie.sessions.values import hashed, to_json_items
from micropie.stores.redis_client import MAX_CONNECTIONS, RedisClient

_LISTS = """
local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Keep the list of a session's user up to date; `owner` and `before` are false for a session of nobody.
local function list(users, owner, before, handle, timeout)
    if before and before ~= owner then
        redis.call('ZREM', users .. before, handle)
    end
    if owner then
        local key, time = users .. owner, now()
        redis.call('ZADD', key, time + timeout, handle)
        redis.call('ZREMRANGEBYSCORE', key, '-inf', time)
        if redis.call('PTTL', key) < timeout then
            redis.call('PEXPIRE', key, timeout)
        end
    end
end
"""
SAVE = f"""{_LISTS}
local key, users, handle, timeout = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local before = redis.call('HGET', key, '{Session.USER}')
redis.call('DEL', key)
for position = 4, #ARGV, 2 do
    redis.call('HSET', key, ARGV[position], ARGV[position + 1])
end
redis.call('PEXPIRE', key, timeout)
list(users, redis.call('HGET', key, '{Session.USER}'), before, handle, timeout)
"""
UPDATE = f"""{_LISTS}
local key, users, handle, timeout, removed = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), 5 + 2 * ARGV[4]
local is_there = redis.call('EXISTS', key)
if is_there == 1 then
    local before = redis.call('HGET', key, '{Session.USER}')
    for position = 5, removed - 1, 2 do
        redis.call('HSET', key, ARGV[position], ARGV[position + 1])
    end
    for position = removed, #ARGV do
        redis.call('HDEL', key, ARGV[position])
    end
    redis.call('PEXPIRE', key, timeout)
    list(users, redis.call('HGET', key, '{Session.USER}'), before, handle, timeout)
end
return is_there
"""
TOUCH = f"""{_LISTS}
local key, users, handle, timeout = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('PEXPIRE', key, timeout) == 1 then
    list(users, redis.call('HGET', key, '{Session.USER}'), false, handle, timeout)
end
"""
LIST = f"""{_LISTS}
local found = {{}}
for _, handle in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', now())) do
    local items = redis.call('HGETALL', ARGV[1] .. handle)
    if #items > 0 then
        table.insert(found, {{handle, items}})
    end
end
return found
"""
END = f"""{_LISTS}
local sessions, keep, only, ended = ARGV[1], ARGV[2], ARGV[3], 0
for _, handle in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now(), '+inf')) do
    if handle ~= keep and (not only or handle == only) then
        ended = ended + redis.call('DEL', sessions .. handle)
        redis.call('ZREM', KEYS[1], handle)
    end
end
return ended
"""


class RedisSessionBackend(SessionBackend):
    """Keeps sessions on a Redis or Valkey server, `url`: `redis://`, `rediss://` (TLS) and `unix://` are accepted.

    `prefix` is the beginning of all keys: two applications on one server need two. A request that has to wait more than
    `timeout` seconds is answered 503, and while the server is away most are at once. A process has at most
    `max_connections` to it.

        app = MyApp(RedisSessionBackend("redis://localhost:6379/0"))
    """

    keeps_rotations = True

    def __init__(
        self, url: str, *, prefix: str = "micropie:", timeout: float = 5, max_connections: int = MAX_CONNECTIONS
    ) -> None:
        self._redis = RedisClient("Sessions", url, timeout=timeout, max_connections=max_connections)
        self._sessions, self._users = f"{prefix}session:", f"{prefix}user:"

    async def load(self, session_id: str) -> dict[str, Any]:
        """The session's data; `{}` if it is unknown or expired."""
        key = self._sessions + hashed(session_id)
        return values_of(await self._redis.answer(lambda redis: redis.hgetall(key)))

    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> None:
        """Keep the data for `timeout` seconds; delete the session if `data` is empty."""
        await self._change(SAVE, session_id, timeout, *items_of(data))

    async def update(self, session_id: str, changes: dict[str, Any], removed: list[str], timeout: int) -> bool:
        """Change these values of the session; False if it is not there any more."""
        rest = len(changes), *items_of(changes), *map(field, removed)
        return bool(await self._change(UPDATE, session_id, timeout, *rest))

    async def touch(self, session_id: str, timeout: int) -> None:
        """Let the session live for another `timeout` seconds, if it still does."""
        await self._change(TOUCH, session_id, timeout)

    async def sessions_of(self, user_id: object) -> dict[str, dict[str, Any]]:
        """The data of a user's sessions by their handles, the one that is used last first."""
        found = await self._redis.run(LIST, self._user_key(user_id), self._sessions, writing=False)
        return {handle.decode(): values_of(paired(items)) for handle, items in found}

    async def end_sessions(self, user_id: object, handle: str | None = None, *, keep: str | None = None) -> int:
        """End all sessions of a user, or the one with this handle, but not `keep`; the number of those that ended."""
        only = [] if handle is None else [handle]  # an empty one is nobody's, and not all
        return int(await self._redis.run(END, self._user_key(user_id), self._sessions, keep or "", *only))

    async def aclose(self) -> None:
        """Close the connections of the running event loop, until the backend is used again."""
        await self._redis.aclose()

    def _user_key(self, user_id: object) -> str:
        return self._users + json.dumps(str(user_id))

    async def _change(self, script: str, session_id: str, timeout: float, *rest: Any) -> Any:
        handle = hashed(session_id)
        return await self._redis.run(script, self._sessions + handle, self._users, handle, round(timeout * 1000), *rest)


def field(name: str) -> bytes:
    """A name in a session, as bytes; one with lone surrogates, which are no characters, is a name too."""
    return name.encode("utf-8", "surrogatepass")


def items_of(data: Mapping[str, Any]) -> Iterable[bytes | str]:
    """The fields of a session and their values, in turn."""
    for name, text in to_json_items(data).items():
        yield field(name)
        yield text


def paired(items: list[bytes]) -> dict[bytes, bytes]:
    """Fields and values that come in turn."""
    return dict(zip(items[::2], items[1::2], strict=True))


def values_of(fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    """A session's data."""
    return {name.decode("utf-8", "surrogatepass"): json.loads(text) for name, text in fields.items()}
