"""The keywords of `App`, of `@limits` and the limits of a controller: wrong ones are refused when they are given."""

import math
from typing import Any

import pytest

from micropie import App, Controller, HttpMiddleware, limits

SIZES = ["max_body_size", "max_form_field_size", "max_form_parts", "max_upload_size"]
NO_SIZES: list[Any] = [-1, "1000", 1.5, True, math.inf, [1], b"1"]
NO_SECONDS: list[Any] = [0, -1, "5", math.inf, math.nan, True, [5]]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        *((keyword, value) for keyword in SIZES for value in NO_SIZES),
        *(("body_timeout", value) for value in NO_SECONDS),
    ],
)
def test_what_is_no_limit_is_refused(keyword, value):
    """The message says what it is, what is accepted, and where it was given."""
    with pytest.raises(ValueError, match=rf"^App\({keyword}=.*\): .* or None for no limit is accepted$"):
        App(**{keyword: value})
    with pytest.raises(ValueError, match=rf"^@limits\({keyword}=.*\): .* or None for no limit is accepted$"):
        limits(**{keyword: value})
    branch = type("Branch", (Controller,), {keyword: value})()
    with pytest.raises(ValueError, match=rf"^Branch\.{keyword}=.*: .* or None for no limit is accepted$"):
        type("Site", (App,), {"branch": branch})()


@pytest.mark.parametrize("keyword", [*SIZES, "body_timeout"])
@pytest.mark.parametrize("value", [None, 1, 10**12])
def test_limits_are_numbers_or_none(keyword, value):
    """None is no limit."""
    App(**{keyword: value})
    limits(**{keyword: value})
    type("Site", (App,), {"branch": type("Branch", (Controller,), {keyword: value})()})()


@pytest.mark.parametrize(
    ("keyword", "value", "accepted"),
    [
        ("sync_threads", -1, "a number of threads, 0 for none, is accepted"),
        ("sync_threads", None, "a number of threads"),
        ("sync_threads", "4", "a number of threads"),
        ("session_timeout", None, "seconds, at least 1, are accepted"),
        ("session_timeout", 0, "seconds, at least 1"),
        ("session_timeout", -5, "seconds, at least 1"),
        ("session_timeout", "3600", "seconds, at least 1"),
        ("session_lifetime", 0, "seconds, at least 1, or None for no limit, are accepted"),
        ("session_lifetime", "1", "seconds, at least 1"),
        ("surplus_path_status", 999, "a status from 400 to 599 is accepted"),
        ("surplus_path_status", 200, "a status from 400 to 599"),
        ("surplus_path_status", None, "a status from 400 to 599"),
        ("surplus_path_status", "404", "a status from 400 to 599"),
        ("errors", "json", "'negotiated' or 'problem' is accepted"),
        ("errors", None, "'negotiated' or 'problem'"),
        ("errors", ["problem"], "'negotiated' or 'problem'"),
        ("allowed_origins", "https://a.example", r"a list of origins, as \['https://friend.example'\], is accepted"),
        ("allowed_origins", None, "a list of origins"),
        ("allowed_origins", ["a.example"], "origins such as 'https://friend.example' are accepted"),
        ("allowed_origins", ["https://a.example/path"], "origins such as"),
        ("allowed_origins", [b"https://a.example"], "origins such as"),
        ("allowed_origins", [""], "origins such as"),
    ],
)
def test_wrong_settings_are_refused_when_the_application_is_made(keyword, value, accepted):
    """Not by a 500 at some request."""
    with pytest.raises(ValueError, match=rf"^App\({keyword}=.*\): {accepted}"):
        App(**{keyword: value})


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("sync_threads", 0),
        ("session_timeout", 1),
        ("session_lifetime", None),
        ("surplus_path_status", 404),
        ("errors", "problem"),
        ("allowed_origins", ()),
        ("allowed_origins", ["https://a.example/", "http://B.example:8000", "http://[::1]:3000", "null", "*"]),
        ("allowed_origins", {"capacitor://localhost"}),
        ("allowed_origins", iter(["https://a.example"])),
    ],
)
def test_right_settings_are_taken(keyword, value):
    """As they were before."""
    App(**{keyword: value})


LISTS = ["middlewares", "ws_middlewares", "startup_handlers", "shutdown_handlers"]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_in_the_class_body_is_warned_of(name, caplog):
    """It has never had an effect, since the constructor sets its own: a guard in there would guard nothing."""
    base = type("Base", (App,), {name: [HttpMiddleware()]})
    site = type("Site", (base,), {})()
    assert getattr(site, name) == []
    assert caplog.messages == [
        f"Base.{name} has no effect, since App.__init__ sets self.{name}: append to that after super().__init__()"
    ]


@pytest.mark.parametrize("name", LISTS)
def test_no_warning_of_what_loses_nothing(name, caplog):
    """An empty list, and a property that keeps what the constructor sets."""
    type("Empty", (App,), {name: []})()
    kept = property(lambda self: self._kept, lambda self, value: setattr(self, "_kept", value))
    type("Keeping", (App,), {name: kept})()
    assert caplog.messages == []
