"""Without Jinja2, without multipart: a clear word in the log for what needs them, and all else works."""

import json
from typing import Any

import pytest

from tests.integrations.serving import output_of

HINT = "pip install 'micropie[standard]'"


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What a process answers that has none of the optional packages."""
    return dict(json.loads(output_of("tests.integrations.missing_probe", without=("jinja2", "multipart", "orjson"))))


@pytest.mark.parametrize("case", ["template", "template again", "upload", "upload again", "parse_multipart"])
def test_the_client_is_told_nothing(answers, case):
    """A package that is missing is a 500 without internals, each time."""
    assert answers[case]["reply"] == [500, "500 Internal Server Error"]


@pytest.mark.parametrize(
    ("case", "package"),
    [
        ("template", "jinja2"),
        ("template again", "jinja2"),
        ("upload", "multipart"),
        ("upload again", "multipart"),
        ("parse_multipart", "multipart"),
    ],
)
def test_the_operator_is_told_what_to_install(answers, case, package):
    """One record names the package, and says how to install it, once."""
    (text,) = answers[case]["log"]
    assert text.count(HINT) == 1
    assert package in text.lower()


@pytest.mark.parametrize("case", ["upload", "upload again"])
def test_an_upload_is_one_line_in_the_log(answers, case):
    """The application is not to blame: there is no traceback."""
    (text,) = answers[case]["log"]
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("case", "reply"),
    [
        ("plain", "plain"),
        ("form", '{"sum":3}'),
        ("json", '{"a":[1,null]}'),
        ("ignored upload", "plain"),
    ],
)
def test_what_needs_no_package(answers, case, reply):
    """Routes, forms and JSON work, and the log is silent."""
    assert answers[case] == {"reply": [200, reply], "log": []}


@pytest.mark.parametrize(
    ("package", "broken"),
    [("jinja2", {"template", "template again"}), ("multipart", {"upload", "upload again", "parse_multipart"})],
)
def test_one_package_alone(package, broken):
    """Each package is missed by what needs it, and by nothing else."""
    found = json.loads(output_of("tests.integrations.missing_probe", without=(package,)))
    assert {case for case, answer in found.items() if HINT in "".join(answer["log"])} == broken
