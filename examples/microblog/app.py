"""A microblog: short posts, people who follow each other, a timeline that goes on by itself."""

import os
import re
import time
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le, MaxLen
from markupsafe import Markup, escape

from accounts import SHORTEST, Join, Login, Member, StrangerError
from database import SHOWN, create_tables, posts_where, query
from micropie import App, Faults, HTTPError, Nested, Resource, after_reply, configuration, flash, methods, url_for
from micropie.channels import Channels
from micropie.middleware import CSRFMiddleware, RateLimitMiddleware, SecurityHeadersMiddleware, client_address
from micropie.sessions import SQLiteSessionBackend
from micropie.static import StaticFiles

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'"
)
MENTION = re.compile(r"@([a-z0-9_]{2,20})\b", re.IGNORECASE)
LONGEST = 280  # characters of a post
MOST_FOLLOWED = 500  # people, each of whom is a channel of a page's stream
DAY = 24 * 3600

Id = Annotated[int, Ge(1), Le(2**63 - 1)]  # more is no number for SQLite
Text = Annotated[str, MaxLen(LONGEST)]


class Posts(Resource):
    """``/posts``."""

    async def post(self, me: Member, faults: Faults, text: Text):
        text = (text or "").replace("\r\n", "\n").strip()
        if not text and "text" not in faults:
            faults.add("text", "is empty")
        if faults:
            return 422, await self._render_template("home.html", faults=faults, posts=me.timeline())
        (row,) = query("INSERT INTO posts (user_id, text, at) VALUES (?, ?, ?) RETURNING *", me.id, text, time.time())
        html = await self._render_template("post.html", post={**row, "name": me.name}, me=None)
        after_reply(Microblog.channels.publish, f"user {me.id}", {"id": row["id"], "html": html})
        return self._redirect("/", status=303)

    @methods("POST")
    async def remove(self, me: Member, id: Id):
        """Delete a post of one's own; of nobody else's, whatever the number."""
        if not query("DELETE FROM posts WHERE id = ? AND user_id = ? RETURNING id", id, me.id):
            raise HTTPError(404, "You have no such post")
        after_reply(Microblog.channels.publish, f"user {me.id}", {"id": id, "html": ""})
        flash(self.request, "Your post is deleted.")
        return self._redirect("/", status=303)


class Following(Resource):
    """``/people/NAME/following``: whether the member reads that person's posts."""

    async def post(self, name: str, me: Member, wanted: bool):
        person = person_called(name)
        if not wanted:
            query("DELETE FROM follows WHERE follower = ? AND followed = ?", me.id, person["id"])
        elif len(me.followed()) > MOST_FOLLOWED:
            raise HTTPError(409, f"You follow {MOST_FOLLOWED} people, which is all that one can read")
        elif person["id"] != me.id:
            query("INSERT OR IGNORE INTO follows VALUES (?, ?)", me.id, person["id"])
        flash(self.request, f"You {'follow' if wanted else 'no longer follow'} {person['name']}.")
        return self._redirect(url_for(Microblog.people.get, person["name"]), status=303)


class People(Resource):
    """``/people/NAME``. It has no other methods: their names could be nobody's."""

    following = Nested("name", Following())

    async def get(self, name: str, before: Id | None = None):
        person = person_called(name)
        (counts,) = query(
            "SELECT (SELECT count(*) FROM follows WHERE followed = ?1) AS followers,"
            " (SELECT count(*) FROM follows WHERE follower = ?1) AS follows",
            person["id"],
        )
        posts = posts_where("user_id = ?", person["id"], before=before)
        return await self._render_template("person.html", person=person, counts=counts, posts=posts)


def person_called(name):
    """Somebody's number and name; else 404."""
    for row in query("SELECT id, name FROM users WHERE name = ?", name.lower()):
        return row
    raise HTTPError(404, "Nobody has that name")


def linked(text):
    """A post as HTML, in which @names lead to people."""
    return Markup(MENTION.sub(r'<a href="/people/\1">@\1</a>', str(escape(text))))  # noqa: S704 - it is escaped


def when(at):
    """How long ago it was, in words."""
    seconds = max(0, time.time() - at)
    for length, unit in ((DAY, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


class Microblog(App):
    """The site."""

    channels = Channels(os.environ.get("REDIS_URL", "memory:"), history=50)
    static = StaticFiles(HERE / "static")
    join = Join()
    login = Login()
    posts = Posts()
    people = People()

    def __init__(self):
        create_tables()
        super().__init__(
            SQLiteSessionBackend(HERE / "sessions.db"),
            templates=HERE / "templates",
            session_timeout=14 * DAY,
            session_lifetime=90 * DAY,
            max_body_size=16 * 1024,
            surplus_path_status=404,
        )
        configuration(self).templates.filters.update(linked=linked, when=when)
        self.middlewares += [
            CSRFMiddleware(),
            SecurityHeadersMiddleware(csp=POLICY, referrer_policy="same-origin"),
            RateLimitMiddleware("10/minute", "60/hour", key=who_tries, name="passwords"),
            RateLimitMiddleware("20/minute", "300/day", key=who_writes, name="posts"),
        ]

    def _template_context(self):
        me = Member.of(self.request)
        return {
            "site": self,
            "me": me,
            "followed": me.followed() if me else [],
            "longest": LONGEST,
            "shortest": SHORTEST,
            "shown": SHOWN,
        }

    async def _on_error(self, error):
        """Strangers log in, and browsers get a page of ours; what others get is the framework's."""
        if isinstance(error, HTTPError) and "text/html" in self.request.header("accept", ""):
            page = await self._render_template("error.html", error=error, phrase=HTTPStatus(error.status).phrase)
            return error.status, page, {"Vary": "Accept"}
        if not isinstance(error, StrangerError):
            return None
        here = self.request.scope["path"] if self.request.method == "GET" else None
        return self._redirect(url_for(self.login.get, next=here), status=303)

    async def index(self, *, before: Id | None = None):
        """The member's timeline; for strangers what everybody says."""
        me = Member.of(self.request)
        posts = me.timeline(before) if me else posts_where("TRUE", before=before)
        return await self._render_template("home.html", faults=Faults(), posts=posts)

    async def everybody(self):
        """Who is here, those who wrote last first."""
        latest = "(SELECT max(id) FROM posts WHERE user_id = users.id)"
        people = query(f"SELECT id, name FROM users ORDER BY {latest} DESC LIMIT 100")  # noqa: S608
        return await self._render_template("people.html", people=people)

    async def live(self, me: Member):
        """Stream what is posted from now on by those whom the member follows."""
        return self.channels.stream(*(f"user {number}" for number in me.followed()))

    @methods("POST")
    async def logout(self):
        self.request.session.clear()
        self.request.session.rotate()
        flash(self.request, "You are logged out.")
        return self._redirect("/", status=303)


def who_tries(request):
    """Whose attempts are counted: those to guess a password, or to have one hashed."""
    is_try = request.scope["endpoint"] in (Microblog.join.post, Microblog.login.post)
    return client_address(request) if is_try else None


def who_writes(request):
    """Whose posts are counted."""
    return request.session.user_id if request.scope["endpoint"] == Microblog.posts.post else None


app = Microblog()
