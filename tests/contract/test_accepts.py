"""`request.accepts`: which of several media types a client wants (RFC 9110 §12.5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micropie import App, Request
from tests.client import http
from tests.core.test_properties import some

HTML, JSON, TEXT, PNG = "text/html", "application/json", "text/plain", "image/png"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def request_with(*accept):
    """A request with these Accept fields."""
    headers = [(b"accept", one.encode("latin-1")) for one in accept]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


@pytest.mark.parametrize(
    ("accept", "offers", "wanted"),
    [
        ("", (HTML, JSON), HTML),
        ("*/*", (JSON, HTML), JSON),
        (BROWSER, (JSON, HTML), HTML),
        (BROWSER, (JSON, PNG), JSON),
        ("application/json", (HTML, JSON), JSON),
        ("application/json", (HTML,), None),
        ("application/json, text/plain, */*", (HTML, JSON), JSON),
        ("text/*", (JSON, TEXT, HTML), TEXT),
        ("text/*;q=0.5, text/html;q=0.4", (HTML, TEXT), TEXT),
        ("text/html;q=0, */*", (HTML, JSON), JSON),
        ("text/html;q=0", (HTML, JSON), None),
        ("*/*;q=0", (HTML,), None),
        ("TEXT/HTML;Q=0.5, image/png;q=0.4", (PNG, HTML), HTML),
        ("text/html; q=0.3, application/json; q=0.8", (HTML, JSON), JSON),
        ("text/html;q=.2, application/json;q=0.1", (JSON, HTML), HTML),
        ("text/html;charset=utf-8", (JSON, HTML), HTML),
        ("text/html;level=1", (HTML,), None),
        ("text/html;level=1;q=0.5, text/html;q=0.4", (HTML, "text/html;level=1"), "text/html;level=1"),
        ("nonsense, ;q=1,,", (HTML,), None),
        ('a/b;x="1,2", c/d;q=0.5', ("c/d", 'a/b;x="1,2"'), 'a/b;x="1,2"'),
        ('text/plain;x="a, text/html", image/png;q=0.1', (HTML, PNG), PNG),
        ('text/plain;x="\\", text/html", image/png', (HTML, PNG), PNG),
        ('text/plain;x="open, text/html', (HTML,), None),
        ("text/html", (), None),
    ],
)
def test_the_type_that_a_client_wants_most(accept, offers, wanted):
    """By weight, then by how closely it is described, then by our order."""
    assert request_with(*[accept] if accept else []).accepts(*offers) == wanted


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("text/html;level=3", "image/jpeg"),
        ("text/html;level=3", "text/plain"),
        ("text/plain;format=fixed", "image/jpeg"),
        ("image/jpeg", "text/plain"),
        ("text/plain", "text/plain;format=flowed"),
        ("text/html", "text/plain;format=fixed"),
    ],
)
def test_the_example_of_the_specification(lower, higher):
    """RFC 9110 §12.5.1: the most specific range has precedence."""
    accept = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5"
    assert request_with(accept).accepts(lower, higher) == higher


def test_several_accept_fields_are_one_list():
    """As any repeated field."""
    assert request_with("text/html;q=0.1", "application/json").accepts(HTML, JSON) == JSON


@pytest.mark.parametrize("no_type", ["html", "text/*", "*/*", ""])
def test_what_is_no_media_type_is_refused(no_type):
    """A range is what a client sends, not what we have."""
    with pytest.raises(ValueError, match=r"accepts\(\) takes media types such as 'text/html'"):
        request_with().accepts(HTML, no_type)


def test_a_handler_answers_in_what_is_wanted():
    """And in neither, if it is to be so strict."""

    class Site(App):
        async def pie(self):
            wanted = self.request.accepts(HTML, JSON)
            if wanted is None:
                return 406, "HTML and JSON", {"Vary": "Accept"}
            return 200, {"pie": "apple"} if wanted == JSON else "<p>apple", {"Vary": "Accept"}

    def status_and_type(accept):
        answer = http(Site(), path="/pie", headers={"Accept": accept})
        return answer.status_code, answer.headers["content-type"].partition(";")[0], answer.headers["vary"]

    assert status_and_type(BROWSER) == (200, HTML, "Accept")
    assert status_and_type(JSON) == (200, JSON, "Accept")
    assert status_and_type(PNG)[0] == 406


TYPES = [HTML, TEXT, JSON, PNG, "image/webp"]
WEIGHTS = st.integers(0, 1000).map(lambda number: number / 1000)


@some(200)
@given(weights=st.dictionaries(st.sampled_from([*TYPES, "text/*", "image/*", "*/*"]), WEIGHTS), data=st.data())
def test_what_is_chosen_is_weighed_highest(weights, data):
    """Whatever is sent, in whatever order: nothing with a weight of 0, nothing below another one."""
    ranges = data.draw(st.permutations([f"{name};q={weight:.3f}" for name, weight in weights.items()]))
    offers = data.draw(st.permutations(TYPES))
    chosen = request_with(*[" , ".join(ranges)] if ranges else []).accepts(*offers)

    def weight(media_type):
        names = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        return next((weights[name] for name in names if name in weights), 0 if weights else 1)

    highest = max(map(weight, TYPES))
    assert (chosen is None) == (highest == 0)
    assert chosen is None or weight(chosen) == highest


@some(300)
@given(accept=st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=200))
def test_nothing_that_is_sent_is_an_error(accept):
    """An Accept field may be anything."""
    assert request_with(accept).accepts(HTML, JSON) in (HTML, JSON, None)
