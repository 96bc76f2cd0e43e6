"""The findings as a page: what each script says at its top."""

import re
from dataclasses import dataclass
from pathlib import Path

PINS = re.compile(r"(?<![\w.-])([A-Za-z][\w.-]*)==([\w.]+)")


@dataclass
class Finding:
    """The head of a script."""

    name: str
    subject: str
    guess: str
    seen: str
    versions: list[tuple[str, str]]
    """Packages that it installs, and programs of the system whose version makes a difference."""


def read(folder: Path) -> list[Finding]:
    """All findings of a folder, by name."""
    return [_read(path) for path in sorted(folder.glob("[!_]*.sh"))]


def _read(path: Path) -> Finding:
    text = path.read_text("utf-8")
    comment = re.match(r"#![^\n]*\n((?:#[^\n]*\n)+)", text)
    if comment is None:
        raise ValueError(f"{path.name} has no comment at its top")
    said = re.sub(r"^# ?", "", comment[1], flags=re.MULTILINE)
    parts = re.fullmatch(
        r"(?P<subject>.*?)\s*^Guess: (?P<guess>.*?)\s*^Seen: (?P<seen>.*?)\s*", said, re.DOTALL | re.MULTILINE
    )
    if parts is None:
        raise ValueError(f"{path.name} must say: what it is about, an empty line, Guess: …, Seen: …")
    packages = [pin for line in re.findall(r"^packages (.*)$", text, re.MULTILINE) for pin in PINS.findall(line)]
    programs = re.findall(r"^program (\S+) # (\S+)$", text, re.MULTILINE)
    subject, guess, seen = (" ".join(parts[name].split()) for name in ("subject", "guess", "seen"))
    return Finding(path.stem, subject, guess, seen, [*programs, *packages])


def markdown(folder: Path) -> str:
    """The findings, one section each."""
    return "\n".join(_section(finding) for finding in read(folder))


def _section(finding: Finding) -> str:
    title = finding.name.replace("_", " ")
    versions = ", ".join(f"{name} {version}" for name, version in finding.versions)
    return (
        f"## {title[0].upper()}{title[1:]}\n\n{finding.subject}\n\n"
        f"**The guess:** {finding.guess}\n\n**What is seen:** {finding.seen}\n\n"
        f"Seen with {versions}: [the script](../findings/{finding.name}.sh).\n"
    )
