"""Passwords: hashed so slowly that a stolen database gives few away, by few threads, so that log-ins are no lever.

A hash is a text in the PHC string format, `$scrypt$ln=15,r=8,p=3$SALT$DIGEST`: it says itself how it was made, so that
what is made better from one release to the next can still be read.
"""

import asyncio
import functools
import hashlib
import hmac
import os
import re
import secrets
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import NamedTuple, TypeVar

from micropie import HTTPError, MissingDependency

T = TypeVar("T")
MAX_PASSWORD = 4096  # bytes in UTF-8
MAX_MEMORY = 1 << 30  # bytes for one hash; a database that asks for more is broken, or somebody else's
MAX_WAITING = 64  # passwords that wait to be hashed; at 100 ms each more would wait for too long
SALT, DIGEST = 16, 32  # bytes
_MEBIBYTE = 1 << 20
_SCRYPT = r"scrypt\$ln=([1-9]\d?),r=([1-9]\d?),p=([1-9]\d?)"
_ARGON2ID = r"argon2id\$v=19\$m=([1-9]\d{0,7}),t=([1-9]\d{0,2}),p=([1-9]\d{0,2})"
_BASE64 = r"[A-Za-z0-9+/]{6,128}"
_HASH = re.compile(rf"\$(?:{_SCRYPT}|{_ARGON2ID})\$({_BASE64})\$({_BASE64})")


class Scrypt(NamedTuple):
    """RFC 7914, with the logarithm of its cost N."""

    ln: int
    r: int
    p: int

    @property
    def memory(self) -> int:
        """What one hash takes, in bytes."""
        return 128 * self.r * ((1 << self.ln) + self.p)

    def digest(self, password: bytes, salt: bytes, length: int) -> bytes:
        """The hash itself."""
        limit = self.memory + _MEBIBYTE
        return hashlib.scrypt(password, salt=salt, n=1 << self.ln, r=self.r, p=self.p, maxmem=limit, dklen=length)

    def __str__(self) -> str:
        return f"scrypt$ln={self.ln},r={self.r},p={self.p}"


class Argon2id(NamedTuple):
    """RFC 9106, with its memory in KiB."""

    m: int
    t: int
    p: int

    @property
    def memory(self) -> int:
        """What one hash takes, in bytes."""
        return 1024 * self.m

    def digest(self, password: bytes, salt: bytes, length: int) -> bytes:
        """The hash itself. `MissingDependency` without argon2-cffi."""
        argon2 = argon2_package()
        if argon2 is None:
            remedy = "pip install 'micropie[argon2]', or argon2-cffi alone"
            raise MissingDependency(f"Passwords that were hashed by Argon2 need the package 'argon2-cffi': {remedy}")
        kind = argon2.low_level.Type.ID
        raw: bytes = argon2.low_level.hash_secret_raw(password, salt, self.t, self.m, self.p, length, kind)
        return raw

    def __str__(self) -> str:
        return f"argon2id$v=19$m={self.m},t={self.t},p={self.p}"


# The minimum of OWASP's Password Storage Cheat Sheet (November 2026). Of its settings for scrypt, which are equally
# strong, the one with 32 MiB: with N = 2^17 a few log-ins at a time would take a small machine's memory.
SCRYPT = Scrypt(ln=15, r=8, p=3)
ARGON2ID = Argon2id(m=19456, t=2, p=1)


class PasswordHash(NamedTuple):
    """A hash, and how it was made."""

    function: Scrypt | Argon2id
    salt: bytes
    digest: bytes

    def __str__(self) -> str:
        return f"${self.function}${in_base64(self.salt)}${in_base64(self.digest)}"


async def hash_password(password: str) -> str:
    """A text to store in place of a password: by Argon2id where argon2-cffi is installed, else by scrypt.

    `HTTPError` 400 for a password of more than 4,096 bytes; 503 if too many wait for theirs.

        user.password = await hash_password(password)
    """
    secret = prepared(password)
    if len(secret) > MAX_PASSWORD:
        raise HTTPError(400, f"A password has at most {MAX_PASSWORD:,} bytes")
    function, salt = preferred(), secrets.token_bytes(SALT)
    return str(PasswordHash(function, salt, await in_thread(function.digest, secret, salt, DIGEST)))


async def verify_password(password: str, password_hash: str | None) -> bool:
    """True if `password` is that of `password_hash`. Without a hash, of a user that there isn't, False after as long.

    ValueError for what is no hash of `hash_password`; `HTTPError` 503 if too many wait for theirs.

        user = await find_user(name)
        if not await verify_password(password, user and user.password):
            raise HTTPError(403, "Wrong name or password")
    """
    known = parsed(password_hash) if password_hash else PasswordHash(preferred(), b"\0" * SALT, b"\0" * DIGEST)
    secret = prepared(password)
    digest = await in_thread(known.function.digest, secret[:MAX_PASSWORD], known.salt, len(known.digest))
    return hmac.compare_digest(digest, known.digest) and bool(password_hash) and len(secret) <= MAX_PASSWORD


def needs_rehash(password_hash: str) -> bool:
    """True if `hash_password` makes others than `password_hash` by now: store one while a log-in has the password.

    if needs_rehash(user.password):
        user.password = await hash_password(password)
    """
    return parsed(password_hash).function != preferred()


def prepared(password: str) -> bytes:
    """The bytes of a password: in UTF-8, and composed (NFC, RFC 8265 §4.2), since keyboards make é in two ways."""
    # Twice as many characters: three may be composed to one of two bytes, and what is cut off here would not count.
    # What has lone surrogates is no text, yet somebody may send it as one.
    return unicodedata.normalize("NFC", password[: 2 * MAX_PASSWORD]).encode("utf-8", "surrogatepass")


def parsed(text: str) -> PasswordHash:
    """A hash in its parts. ValueError for what is none, or is too much for a machine."""
    found = _HASH.fullmatch(text)
    if found is None:
        raise ValueError("no hash that hash_password() made: '$scrypt$…' and '$argon2id$v=19$…' are known")
    *numbers, salt, digest = found.groups()
    of_scrypt, of_argon2id = ([int(one) for one in part if one] for part in (numbers[:3], numbers[3:]))
    function: Scrypt | Argon2id = Scrypt(*of_scrypt) if of_scrypt else Argon2id(*of_argon2id)
    if function.memory > MAX_MEMORY:
        raise ValueError(f"a password hash that takes {function.memory >> 20} MiB, more than {MAX_MEMORY >> 20}")
    return PasswordHash(function, from_base64(salt), from_base64(digest))


def preferred() -> Scrypt | Argon2id:
    """How passwords are hashed now."""
    return SCRYPT if argon2_package() is None else ARGON2ID


def argon2_package() -> ModuleType | None:
    """The package argon2-cffi, if it is installed."""
    try:
        import argon2.low_level  # noqa: PLC0415 - only for those who have it
    except ImportError:
        return None
    return argon2


def in_base64(data: bytes) -> str:
    """Base64 without padding, as the PHC string format has it."""
    return b64encode(data).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """The bytes of base64 without padding."""
    return b64decode(text + "=" * (-len(text) % 4))


# The threads. Each hash takes its memory, and a core for its time, so they are few: half of the cores stay with those
# who are not logging in.


class Hashing:
    """The threads of a process that hash, and what they have to do."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(min(4, max(1, (os.cpu_count() or 1) // 2)), "micropie-password")
        self.waiting: set[Future[bytes]] = set()


@functools.lru_cache(maxsize=1)
def hashing_of(_process: int) -> Hashing:
    """The threads of this process: one that is forked has to start its own."""
    return Hashing()


async def in_thread(function: Callable[[bytes, bytes, int], bytes], *args: bytes | int) -> bytes:
    """The result of a hash function. `HTTPError` 503 if too many wait for theirs."""
    hashing = hashing_of(os.getpid())
    if len(hashing.waiting) >= MAX_WAITING:
        raise HTTPError(503, "Too many log-ins at the moment", [("Retry-After", "1")])
    future = hashing.threads.submit(function, *args)  # type: ignore[arg-type]
    hashing.waiting.add(future)
    future.add_done_callback(hashing.waiting.discard)
    return await asyncio.wrap_future(future)
