"""`micropie.auth`: passwords and their hashes."""

import asyncio
import re
import subprocess
import sys
import threading
import time
import unicodedata

import argon2
import pytest

from micropie import HTTPError, MissingDependency
from micropie.auth import hash_password, needs_rehash, verify_password
from tests.client import run

PASSWORD = "correct horse battery staple"
RFC_7914 = (  # §12, the second vector: N = 1024, r = 8, p = 16
    "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA"
)


@pytest.fixture
def without_argon2(monkeypatch):
    monkeypatch.setitem(sys.modules, "argon2.low_level", None)


def test_a_password_is_hashed_by_argon2_where_it_is_installed():
    """As the text says, in the PHC string format, with OWASP's minimum."""
    made = run(hash_password(PASSWORD))
    assert re.fullmatch(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}", made)
    assert run(verify_password(PASSWORD, made))
    assert not run(verify_password(PASSWORD + " ", made))
    assert not needs_rehash(made)


def test_argon2_is_what_others_make_of_it():
    """The package by itself verifies our hashes, and we its."""
    other = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=2, hash_len=16, salt_len=8)
    assert other.verify(run(hash_password(PASSWORD)), PASSWORD)
    assert run(verify_password(PASSWORD, other.hash(PASSWORD)))
    assert not run(verify_password("else", other.hash(PASSWORD)))


def test_a_password_is_hashed_by_scrypt_without_argon2(without_argon2):
    """With 32 MiB, one of OWASP's settings; once Argon2 is installed, it is to be hashed again."""
    made = run(hash_password(PASSWORD))
    assert re.fullmatch(r"\$scrypt\$ln=15,r=8,p=3\$[\w+/]{22}\$[\w+/]{43}", made)
    assert run(verify_password(PASSWORD, made))
    assert not run(verify_password(PASSWORD.upper(), made))
    assert not needs_rehash(made)


def test_scrypt_is_rfc_7914s():
    """A vector of the specification."""
    assert run(verify_password("password", RFC_7914))
    assert not run(verify_password("Password", RFC_7914))


def test_each_hash_has_a_salt_of_its_own():
    """Equal passwords are not seen to be equal."""
    assert run(hash_password(PASSWORD)) != run(hash_password(PASSWORD))


@pytest.mark.parametrize("weaker", [RFC_7914, "$argon2id$v=19$m=19456,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA"])
def test_a_hash_that_is_made_otherwise_by_now_is_to_be_made_again(weaker):
    """By other parameters, or another function."""
    assert needs_rehash(weaker)


def test_a_hash_by_argon2_says_what_it_needs(without_argon2):
    """Where the package is missing."""
    with pytest.raises(MissingDependency, match=r"pip install 'micropie\[argon2\]'"):
        run(verify_password(PASSWORD, "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA"))


@pytest.mark.parametrize(
    "text",
    [
        PASSWORD,
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ",
        "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$c2Fsd-NhbHRzYWx0c2FsdA",
        RFC_7914 + "\n",
        "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
    ],
)
def test_what_is_no_hash_is_an_error(text):
    """It means that the database has something else; the message does not show what."""
    for use in (lambda: run(verify_password(PASSWORD, text)), lambda: needs_rehash(text)):
        with pytest.raises(ValueError, match="no hash that hash_password") as caught:
            use()
        assert text.strip() not in str(caught.value)


@pytest.mark.parametrize(
    "settings", ["scrypt$ln=20,r=16,p=1", "scrypt$ln=99,r=8,p=1", "argon2id$v=19$m=2000000,t=1,p=1"]
)
def test_a_hash_that_takes_a_machines_memory_is_an_error(settings):
    """Whoever has written it."""
    with pytest.raises(ValueError, match="more than 1024"):
        run(verify_password(PASSWORD, f"${settings}$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA"))


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_user_that_there_is_not_takes_as_long(nobody):
    """Time does not tell who has an account."""

    def seconds(password_hash):
        times = []
        for _ in range(5):
            start = time.process_time()  # of all threads: others on this machine do not count
            assert not run(verify_password("wrong", password_hash))
            times.append(time.process_time() - start)
        return min(times)

    known = run(hash_password(PASSWORD))
    assert 0.3 < seconds(nobody) / seconds(known) < 3


def test_no_password_is_that_of_nobody():
    """Also one that would hash to what stands in the hash's place."""
    assert not run(verify_password("", None))
    assert not run(verify_password("", ""))


def test_a_letter_that_was_typed_in_two_ways_is_one():
    """Composed and decomposed, as different keyboards make it; upper case is another."""
    composed, decomposed = (unicodedata.normalize(form, "Käsekuchen é") for form in ("NFC", "NFD"))
    made = run(hash_password(decomposed))
    assert composed != decomposed
    assert run(verify_password(composed, made))
    assert run(verify_password(decomposed, made))
    assert not run(verify_password("Kasekuchen e", made))


@pytest.mark.parametrize("password", ["", "\0", "pass\0word", "\ud800", "密码🥧", "x" * 4096])
def test_any_text_is_a_password(password):
    """All of it counts."""
    made = run(hash_password(password))
    assert run(verify_password(password, made))
    assert not run(verify_password(password[:-1] or "x", made))


@pytest.mark.parametrize("password", ["x" * 4097, "é" * 2049, "x" * 10_000_000])
def test_a_password_has_an_end(password):
    """4,096 bytes; a longer one is that of nobody."""
    with pytest.raises(HTTPError) as caught:
        run(hash_password(password))
    assert (caught.value.status, caught.value.detail) == (400, "A password has at most 4,096 bytes")
    made = run(hash_password("x" * 4096))
    assert not run(verify_password(password, made))


def test_all_of_a_decomposed_password_counts():
    """Its bytes are those of the composed text: 4,202 characters may be 2,802 of them."""
    beginning = "U\u0308\u0304" * 1400
    made = run(hash_password(f"{beginning}a1"))
    assert run(verify_password(f"{beginning}a1", made))
    assert not run(verify_password(f"{beginning}b2", made))
    with pytest.raises(HTTPError):
        run(hash_password(beginning * 2))


def test_a_flood_of_log_ins_is_refused():
    """64 wait at most; the others are told at once to come again, and everybody else is served meanwhile."""

    async def attempt():
        try:
            return await verify_password("wrong", None)
        except HTTPError as error:
            return (error.status, error.headers)

    async def flood():
        attempts = [asyncio.create_task(attempt()) for _ in range(200)]
        start = time.perf_counter()
        done, _ = await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
        for one in attempts:
            one.cancel()
        return time.perf_counter() - start, [one.result() for one in done]

    waited, outcomes = run(flood())
    assert waited < 5
    assert outcomes == [(503, [("Retry-After", "1")])] * (200 - 64)
    assert run(verify_password(PASSWORD, run(hash_password(PASSWORD))))


def test_the_memory_of_a_flood_is_bounded():
    """Few are hashed at a time, by threads that are reused."""

    async def flood():
        tasks = [asyncio.create_task(verify_password("wrong", None)) for _ in range(20)]
        await asyncio.sleep(0.05)
        names = [one.name for one in threading.enumerate() if one.name.startswith("micropie-password")]
        await asyncio.gather(*tasks)
        return len(names)

    assert 1 <= run(flood()) <= 4


def test_a_forked_process_has_threads_of_its_own():
    """As a server's workers, after the application was imported and used."""
    script = """
import asyncio, os
from micropie.auth import hash_password, verify_password
made = asyncio.run(hash_password("pie"))
child = os.fork()
if child == 0:
    os._exit(0 if asyncio.run(verify_password("pie", made)) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", script], timeout=60, check=False).returncode == 0
