"""Links, and what members say and think of them."""

import os
import time
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import Ge, Le, MaxLen

from accounts import ForMembers
from database import COMMENTS, LINKS, ORDERS, query
from micropie import Faults, HTTPError, Nested, after_reply, flash, methods, safe_redirect, url_for
from micropie.channels import Channels

SHOWN = 30  # links of a page
MOST_COMMENTS = 500  # of a link

Id = Annotated[int, Ge(1), Le(2**63 - 1)]  # more is no number for SQLite

channels = Channels(os.environ.get("REDIS_URL", "memory:"), history=20)


def page_of_links(order="new", page=1, me=None):
    """A page of links, as the member sees them."""
    sql = f"{LINKS} ORDER BY {ORDERS[order]} LIMIT :count OFFSET :skipped"
    return query(sql, me=me and me["id"], now=time.time(), count=SHOWN, skipped=(page - 1) * SHOWN)


def link_of(id, me=None):
    """A link; else 404."""
    for link in query(f"{LINKS} WHERE links.id = :id", id=id, me=me and me["id"]):
        return link
    raise HTTPError(404, "There is no such link")


async def tell(link_id):
    """Let all who look at the board see the numbers of a link as they are now.

    After the reply: what is stored is stored, whether or not the channels' server answers.
    """
    link = link_of(link_id)
    await channels.publish("board", {"id": link_id, "score": link["score"], "comments": link["comments"]})


def threads(comments):
    """Comments with their depths, each behind what it answers; no recursion, however deep they go."""
    children = {}
    for comment in comments:
        children.setdefault(comment["parent"], []).append(comment)
    waiting = [(0, comment) for comment in reversed(children.get(None, []))]
    while waiting:
        depth, comment = waiting.pop()
        yield depth, comment
        waiting += [(depth + 1, child) for child in reversed(children.get(comment["id"], []))]


class Votes(ForMembers):
    """``/links/7/votes``: the member's own."""

    async def post(self, link_id: Id, up: bool, back: str = "/"):
        link_of(link_id)
        me = self.request.state.me["id"]
        if up:
            query("INSERT OR IGNORE INTO votes VALUES (:link_id, :me)", link_id=link_id, me=me)
        else:
            query("DELETE FROM votes WHERE link_id = :link_id AND user_id = :me", link_id=link_id, me=me)
        after_reply(tell, link_id)
        return safe_redirect(back, status=303)


class Comments(ForMembers):
    """``/links/7/comments``."""

    async def post(self, link_id: Id, faults: Faults, text: Annotated[str, MaxLen(2000)], parent: Id | None = None):
        link = link_of(link_id, self.request.state.me)
        comments = query(COMMENTS, link_id=link_id)
        if "text" not in faults and not (text or "").strip():
            faults.add("text", "is empty")
        if parent is not None and parent not in [comment["id"] for comment in comments]:
            faults.add("parent", "belongs to another link")
        if len(comments) >= MOST_COMMENTS:
            faults.add("text", "comes too late: all has been said here")
        if faults:
            page = await self._render_template("link.html", faults=faults, link=link, threads=threads(comments))
            return 422, page
        (comment,) = query(
            "INSERT INTO comments (link_id, parent, user_id, text, at)"
            " VALUES (:link_id, :parent, :me, :text, :now) RETURNING id",
            link_id=link_id,
            parent=parent,
            me=self.request.state.me["id"],
            text=text.replace("\r\n", "\n").strip(),
            now=time.time(),
        )
        after_reply(tell, link_id)
        return self._redirect(f"{url_for(self.request.app.links.get, link_id)}#comment-{comment['id']}", status=303)

    @methods("POST")
    async def remove(self, link_id: Id, id: Id):
        """Take a comment of one's own back; answers to it stay."""
        found = query(
            "UPDATE comments SET text = NULL WHERE id = :id AND link_id = :link_id AND user_id = :me RETURNING id",
            id=id,
            link_id=link_id,
            me=self.request.state.me["id"],
        )
        if not found:
            raise HTTPError(404, "You have no such comment")
        after_reply(tell, link_id)
        return self._redirect(url_for(self.request.app.links.get, link_id), status=303)


class Links(ForMembers):
    """``/links``."""

    votes = Nested("link_id", Votes())
    comments = Nested("link_id", Comments())

    async def new(self):
        return await self._render_template("new.html", faults=Faults())

    async def get(self, id: Id):
        comments = threads(query(COMMENTS, link_id=id))
        link = link_of(id, self.request.state.me)
        return await self._render_template("link.html", faults=Faults(), link=link, threads=comments)

    async def post(self, faults: Faults, title: Annotated[str, MaxLen(120)], url: Annotated[str, MaxLen(1000)]):
        title, url = " ".join((title or "").split()), (url or "").strip()
        if "title" not in faults and not title:
            faults.add("title", "is empty")
        if "url" not in faults and not is_address(url):
            faults.add("url", "begins with https:// or http://")
        if faults:
            return 422, await self._render_template("new.html", faults=faults)
        me = self.request.state.me["id"]
        insert = "INSERT INTO links (user_id, title, url, at) VALUES (:me, :title, :url, :now) RETURNING id"
        (link,) = query(insert, me=me, title=title, url=url, now=time.time())
        query("INSERT INTO votes VALUES (:id, :me)", id=link["id"], me=me)
        flash(self.request, "Your link is on the board.")
        return self._redirect(url_for(self.get, link["id"]), status=303)

    @methods("POST")
    async def remove(self, id: Id):
        """Delete a link of one's own, with what was said about it."""
        if not query(
            "DELETE FROM links WHERE id = :id AND user_id = :me RETURNING id", id=id, me=self.request.state.me["id"]
        ):
            raise HTTPError(404, "You have no such link")
        query("DELETE FROM votes WHERE link_id = :id", id=id)
        query("DELETE FROM comments WHERE link_id = :id", id=id)
        flash(self.request, "Your link is deleted.")
        return self._redirect("/", status=303)


def is_address(url):
    """True for what a browser goes to, and no script; it is never fetched."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:
        return False
