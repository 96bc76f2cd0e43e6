"""Each example is started as its README says, and the commands there are run against it, word for word."""

import re
import subprocess

import pytest

from tests.examples.conftest import EXAMPLES
from tests.examples.mongodb_server import running_mongodb
from tests.examples.served import served
from tests.servers.serving import PATIENCE

NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
COMMAND = re.compile(r"^    (.*\bcurl .*)$", re.MULTILINE)
CUT_OFF = 28
"""curl's exit status when its time is over: that of streams which do not end by themselves."""
FAILURES = {"middleware": {500}}
"""Statuses of failures that are meant: an error page of one's own."""


@pytest.fixture(scope="module")
def mongodb(tmp_path_factory):
    """The URL of a database."""
    with running_mongodb(tmp_path_factory.mktemp("mongodb")) as url:
        yield f"{url}/shop"


@pytest.mark.parametrize("name", NAMES)
def test_what_the_readme_says(name, mongodb, tmp_path):
    """Every command does something, none is a failure but those that are meant to be, and the log has no traceback."""
    readme = (EXAMPLES / name / "README.md").read_text("utf-8")
    statuses = set()
    # Some keep uploads in the temporary folder.
    with served(name, tmp_path, TMPDIR=str(tmp_path), MONGODB_URL=mongodb) as server:
        for file in re.findall(r"=@(\w+\.png)", readme):  # which it uploads
            (tmp_path / name / file).write_bytes(b"\x89PNG\r\n\x1a\n")
        for command in COMMAND.findall(readme):
            limit = 2 if re.search("curl (-s )?-N ", command) else PATIENCE
            options = f"curl -sS --max-time {limit} -w '%{{stderr}}\\n%{{http_code}}' "
            line = command.replace("http://127.0.0.1:8000", server.url).replace("curl ", options)
            words = ["bash", "-o", "pipefail", "-c", line]
            ended = subprocess.run(words, cwd=tmp_path / name, capture_output=True, timeout=3 * PATIENCE, check=False)
            status = int(ended.stderr.splitlines()[-1][-3:])
            assert ended.returncode == 0 or (ended.returncode == CUT_OFF and status == 200), (command, ended)
            statuses.add(status)
        assert {status for status in statuses if status >= 500} == FAILURES.get(name, set())
        assert name in FAILURES or "Traceback" not in server.log()
