"""Cookies by hand: one that anybody may change, one that is signed, and how they are deleted.

What belongs to a visitor is best kept in `request.session`, whose cookie is nothing but an id. A cookie of its own is
for what scripts or a proxy shall read too, or for what outlives the session.
"""

import os
import secrets
from http.cookies import SimpleCookie
from typing import Annotated, Literal

from micropie import App, Cookie, HTTPError, methods
from micropie.auth import InvalidToken, Signer

YEAR = 365 * 24 * 3600
# Without a secret of its own a restart makes all signed cookies invalid.
coupons = Signer(os.environ.get("SECRET") or secrets.token_hex(32), purpose="coupon")


def set_cookie(name, value, *, max_age, **attributes):
    """The header that sets a cookie; `http.cookies` quotes what a cookie can't hold as it is."""
    jar = SimpleCookie({name: value})
    jar[name].update({"path": "/", "max-age": max_age, "samesite": "Lax", **attributes})
    return "Set-Cookie", jar[name].OutputString()


class Shop(App):
    """``/`` greets, ``/theme`` sets an open cookie, ``/coupon`` a signed one."""

    # A cookie is a client's word: a type keeps out what is none of ours. A bad value is a 400, so be lenient where an
    # old cookie must not lock anybody out, as with the coupon below.
    async def index(self, theme: Annotated[Literal["light", "dark"], Cookie()] = "light"):
        coupon = self._coupon()
        return {"theme": theme, "discount": coupon["percent"] if coupon else 0}

    @methods("POST")
    async def theme(self, name: Literal["light", "dark"]):
        # No HttpOnly: the page's script may read it. Nothing is lost if somebody changes it.
        return 204, None, [set_cookie("theme", name, max_age=YEAR)]

    @methods("POST")
    async def coupon(self, code):
        if code != "PIE-DAY":
            raise HTTPError(404, "No such coupon")
        token = coupons.sign({"percent": 20}, max_age=YEAR)
        # Secure and HttpOnly as for a password: browsers take plain http on this machine for secure, curl does not.
        headers = [
            set_cookie("coupon", token, max_age=YEAR, httponly=True, secure=self.request.scope["scheme"] == "https")
        ]
        return 204, None, headers

    @methods("POST")
    async def forget(self):
        # A cookie is deleted by one of the same name and path that has expired.
        return 204, None, [set_cookie(name, "", max_age=0) for name in ("theme", "coupon")]

    def _coupon(self):
        """What the signed cookie says; None without one, or if it was changed, or has expired."""
        token = self._parse_cookies(self.request.header("cookie", "")).get("coupon", "")
        try:
            return coupons.unsign(token)
        except InvalidToken:
            return None


app = Shop()
