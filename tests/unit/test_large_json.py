"""Large JSON documents, decoded in pieces: always what the decoder makes of the whole, however the pieces fall."""

import gc
import json
import random
import time
from typing import Any

import orjson
import pytest

from micropie.core.basics import json_codec, large_json

TEXTS = ["", "s", 'a"b', "\\", "][}{,:", "é" * 10, "long" * 30, "\x00"]
KEYS = ["a", "b", "", 'x"y', "\\", "{", "k" * 20]


def random_value(dice: random.Random, depth: int = 0) -> Any:
    """Make a document, often with objects that have the same keys."""
    kind = dice.random() if depth < 7 else 1
    if kind < 0.35:
        return [random_value(dice, depth + 1) for _ in range(dice.randrange(5))]
    if kind < 0.7:
        return {dice.choice(KEYS): random_value(dice, depth + 1) for _ in range(dice.randrange(5))}
    return dice.choice([1, -2.5, None, True, *TEXTS])


def random_document(dice: random.Random) -> bytes:
    """Write one, with blanks or without, with keys that stand twice, and with mistakes."""
    raw = json.dumps(random_value(dice), indent=dice.choice([None, 1]), ensure_ascii=dice.random() < 0.5).encode()
    if dice.random() < 0.3:
        raw = raw.replace(b'"b"', b'"a"')
    for _ in range(dice.randrange(3)):
        spot = dice.randrange(len(raw) + 1)
        raw = raw[:spot] + dice.choice([b"", *(b"%c" % char for char in b'[]{},:"\\ 0a')]) + raw[spot + 1 :]
    return raw


def outcome(decode: Any, raw: bytes) -> str:
    """Show what a decoder makes of a document, the order of members included."""
    try:
        return repr(decode(raw))
    except ValueError:
        return "ValueError"


@pytest.mark.parametrize("decode", [orjson.loads, json_codec._stdlib_loads])
@pytest.mark.parametrize("piece", [4, 7, 16, 50, 200])
def test_pieces_make_the_whole(piece, decode, monkeypatch):
    """Valid and broken documents alike."""
    monkeypatch.setattr(large_json, "JSON_PIECE", piece)
    dice = random.Random(piece)
    for _ in range(1500):
        raw = random_document(dice)
        assert outcome(large_json.LargeDocument(decode).value, raw) == outcome(decode, raw), raw


BIG = large_json.JSON_PIECE


@pytest.mark.parametrize(
    "raw",
    [
        b'["' + b"x" * 3 * BIG + b'",1,2]',
        b'["' + b"\\\\" * 3 * BIG + b'",[1],2]',
        b'{"' + b"k" * 3 * BIG + b'":[1,2]}',
        b"[1" + b" " * 3 * BIG + b',{"a":[]}]',
        b'{"a":' * 100 + b"[" * 100 + b"1," * BIG + b"2" + b"]" * 100 + b"}" * 100,
        b'"' + b"x" * 3 * BIG + b'"',
        b"[" + b",".join(b"[1," * 199 + b"7," * BIG + b"7" + b"]" * 199 for _ in range(3)) + b"]",
    ],
)
def test_what_is_large_itself_is_whole(raw):
    """A text, a name, a gap, or a list far inside that is larger than a piece."""
    assert json_codec.loads(raw) == orjson.loads(raw)


@pytest.mark.parametrize("of_bytes", [bytes.decode, bytearray], ids=["str", "bytearray"])
@pytest.mark.parametrize("decode", [orjson.loads, json_codec._stdlib_loads])
@pytest.mark.parametrize("size", [1, BIG])
def test_text_is_read_as_its_bytes_are(size, decode, of_bytes, monkeypatch):
    """However large it is, and whoever decodes it; a buffer is as it was."""
    monkeypatch.setattr(json_codec, "_json_decode", decode)
    raw = f'["{size * "ü"}", {size * "1,"}2]'.encode()
    given = of_bytes(raw)
    assert json_codec.loads(given) == ["ü" * size, *size * [1], 2]
    assert given == of_bytes(raw)


@pytest.mark.parametrize("raw", ['"\ud800"', f'["{BIG * "x"}\ud800"]'])
def test_half_a_pair_of_surrogates_is_no_text(raw):
    """It is a ValueError, as in bytes."""
    with pytest.raises(ValueError, match="surrogates"):
        json_codec.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'["' + b"x" * 3 * BIG,
        b"[" + b"1," * BIG + b"]",
        b"[" + b"1," * BIG + b"2]]",
        b"[" + b"1," * BIG + b"2],[3]",
        b"[" + b"1," * BIG + b"2}",
        b"[" + b"1," * BIG + b"2",
        b" " * 2 * BIG,
        b"[" * 201 + b"1," * BIG + b"1" + b"]" * 201,
        b"[" + b"1," * BIG + b"[" * 200 + b"]" * 200 + b"]",
        b"[" * BIG,
    ],
)
def test_what_is_wrong_far_inside_is_found(raw):
    """No end, too many of them, the other bracket, nothing at all, too deep."""
    with pytest.raises(ValueError):
        json_codec.loads(raw)


def test_half_a_million_lists_are_enough():
    """Documents of more lists and objects cost far more than their bytes."""
    raw = b"[" + b"[]," * large_json.MAX_JSON_CONTAINERS + b"[]]"
    with pytest.raises(large_json.TooManyContainersError):
        json_codec.loads(raw)


@pytest.mark.parametrize("item", [b"1,", b'"",', b"[1,2,3,4],", b'{"a":1,"b":2},', b'"a":1,', b'"\\\\",'])
def test_a_piece_takes_no_longer_than_others_can_wait(item, monkeypatch):
    """No step of a document of 4 MB takes a fifth of a second of CPU, whatever it is made of."""
    steps: list[float] = []
    read = large_json.LargeDocument._read

    def timed(document, window, *, is_stretched):
        start = time.thread_time()
        try:
            return read(document, window, is_stretched=is_stretched)
        finally:
            steps.append(time.thread_time() - start)

    monkeypatch.setattr(large_json.LargeDocument, "_read", timed)
    brackets = (b"{", b"}") if b'":' in item and not item.startswith(b"{") else (b"[", b"]")
    gc.freeze()  # what other tests have left is not to be looked through
    json_codec.loads(brackets[0] + item * ((4 << 20) // len(item)) + item[:-1] + brackets[1])
    gc.unfreeze()
    assert len(steps) >= 64
    assert max(steps) < 0.2
