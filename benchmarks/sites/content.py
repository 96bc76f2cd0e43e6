"""What all sites have in common."""

import os
from pathlib import Path

HOST, FRIEND, STRANGER = "shop.example", "https://app.example", "https://evil.example"
SECRET = "0123456789abcdef" * 2  # Litestar's cookies want 16, 24 or 32 bytes
OLD_SECRET = "fedcba9876543210" * 2
SHORT_SECRET = "pie"
PAGE = "".join(f"<li>Pie number {number}, of {number % 7} apples</li>" for number in range(450))  # 17 kB
CHUNKS = [f"{name} " * 40 for name in ("one", "two", "three")]
TAG = '"v1"'
HOUR = 3600
MEMBER, PASSWORD, TOKEN = "ann", "Äpfel", "a-token-of-ann"

OUTSIDE = "what is outside of the folder"
SHEET = "body { margin: 0 }\n" * 200
CHANGED_AT = 1_780_000_000  # the time stamp of all files


def filled(place: str) -> Path:
    """Return a folder of files to serve, made at this place; a link leads out of it, to a file that lies beside it."""
    folder = Path(place)
    (folder / "pies").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder.parent / "outside.txt").write_text(OUTSIDE)
    files = {
        "site.css": SHEET,
        "site.css.gz": "as if it were gzip",
        "app.js": "alert()",
        "notes.txt": "Äpfel",
        "äpfel.txt": "Äpfel",
        ".env": "SECRET=1",
        "pies/index.html": "<h1>Pies</h1>",
        "empty/file.txt": "one",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        os.utime(folder / name, (CHANGED_AT, CHANGED_AT))
    (folder / "out.txt").symlink_to("../outside.txt")
    (folder / "in.txt").symlink_to("notes.txt")
    return folder
