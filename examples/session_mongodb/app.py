"""Sessions in MongoDB, by its own driver: a backend of one's own, with all that a backend can promise."""

import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from micropie import App, HTTPError, Session, SessionBackend, dumps, loads, methods

URL = os.environ.get("MONGODB_URL", "mongodb://localhost:27017/shop")


class MongoSessionBackend(SessionBackend):
    """A document for each session: ``_id``, ``data``, ``version``, ``expires``, ``user``.

    The data are JSON text: BSON would round times, and has rules for the names of members. The id is hashed, so that
    nobody who reads the database can take a session over.
    """

    def __init__(self, url, timeout=3):
        self._url, self._timeout = url, timeout
        self._client = None

    async def load(self, session_id):
        async with self._sessions() as sessions:
            found = await sessions.find_one(alive(session_id))
        return loads(found["data"].encode()) if found else {}

    async def save(self, session_id, data, timeout):
        async with self._sessions() as sessions:
            if data:
                document = {"_id": hashed(session_id), "version": 0, **contents(data, timeout)}
                await sessions.replace_one({"_id": document["_id"]}, document, upsert=True)
            else:
                await sessions.delete_one({"_id": hashed(session_id)})

    async def update(self, session_id, changes, removed, timeout):
        """Change what is stored, False if nothing is; whoever finds that another request was faster begins again.

        Also right if the driver sends a change twice, as it does when an answer is lost.
        """
        async with self._sessions() as sessions:
            while found := await sessions.find_one(alive(session_id)):
                as_read = {"_id": found["_id"], "version": found["version"]}
                data = {**loads(found["data"].encode()), **changes}
                data = {name: value for name, value in data.items() if name not in removed}
                if data:
                    change = {"$set": {"version": found["version"] + 1, **contents(data, timeout)}}
                    done = (await sessions.update_one(as_read, change)).matched_count
                else:
                    done = (await sessions.delete_one(as_read)).deleted_count
                if done:
                    return True
        return False

    async def touch(self, session_id, timeout):
        async with self._sessions() as sessions:
            await sessions.update_one(alive(session_id), {"$set": {"expires": later(timeout)}})

    async def sessions_of(self, user_id):
        async with self._sessions() as sessions:
            found = await sessions.find({"user": str(user_id), "expires": {"$gt": later(0)}}).to_list()
        return {one["_id"]: loads(one["data"].encode()) for one in found}

    async def end_sessions(self, user_id, handle=None, *, keep=None):
        meant = {"user": str(user_id), "expires": {"$gt": later(0)}}
        if handle is not None:
            meant["_id"] = handle
        elif keep is not None:
            meant["_id"] = {"$ne": keep}
        async with self._sessions() as sessions:
            return (await sessions.delete_many(meant)).deleted_count

    async def aclose(self):
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    @asynccontextmanager
    async def _sessions(self):
        """The collection. The client is made when it is needed: it belongs to the event loop that is running then."""
        try:
            if self._client is None:
                # Seconds, where the driver's own is half a minute: a visitor waits.
                self._client = AsyncMongoClient(self._url, timeoutMS=1000 * self._timeout)
                sessions = self._client.get_default_database()["sessions"]
                await sessions.create_index("expires", expireAfterSeconds=0)  # the server deletes them, once a minute
                await sessions.create_index("user")
            yield self._client.get_default_database()["sessions"]
        except PyMongoError as error:
            raise HTTPError(503, headers=[("Retry-After", "5")]) from error


def hashed(session_id):
    """The name by which the database knows a session, which is its `handle`."""
    return sha256(session_id.encode()).hexdigest()


def alive(session_id):
    """The filter for a session that has not expired; the server may not have deleted it yet."""
    return {"_id": hashed(session_id), "expires": {"$gt": later(0)}}


def later(seconds):
    """A time from now."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def contents(data, timeout):
    """What of a document changes with the session."""
    return {"data": dumps(data).decode(), "expires": later(timeout), "user": data.get(Session.USER)}


class Members(App):
    """Counts visits; `/login` says whose session it is, `/everywhere` ends all of a user's."""

    async def index(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        return {"user": session.user_id, "visits": session["visits"]}

    @methods("POST")
    async def login(self, user):  # a real one asks for a password: see the example `auth`
        self.request.session.rotate()
        self.request.session.bind(user)
        return 204, None

    @methods("POST")
    async def everywhere(self):
        session = self.request.session
        ended = await session.backend.end_sessions(session.user_id) if session.user_id else 0
        session.clear()
        return {"ended": ended}


app = Members(MongoSessionBackend(URL))
