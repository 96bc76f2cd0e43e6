"""`micropie standalone`: the whole core as one file, made of what is installed."""

from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from micropie.cli.amalgamation import generate
from micropie.cli.refusal import Refusal

_PACKAGE = Path(__file__).resolve().parents[1]


def standalone() -> str:
    """The text of the one file."""
    return generate(_PACKAGE, licence("micropie"))


def licence(distribution: str) -> str:
    """The text of the licence, which goes where the code goes: of what is installed, else of the checkout."""
    try:
        files = Distribution.from_name(distribution).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "LICENSE":
            return file.read_text(encoding="utf-8")
    checkout = _PACKAGE.parents[1] / "LICENSE"
    if checkout.is_file():
        return checkout.read_text(encoding="utf-8")
    raise Refusal("the licence that belongs into the file is not there: install MicroPie with pip")
