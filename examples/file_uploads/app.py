"""Uploads that stream to disk, with their size and checksum, whatever the size of the file."""

import hashlib
import tempfile
from pathlib import Path

from micropie import App, HTTPError

FORM = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>Upload</title>
<h1>Upload</h1>
<form method="post" action="/upload" enctype="multipart/form-data">
  <label>File <input type="file" name="file" required></label>
  <button>Send</button>
</form>
</html>
"""


class Uploads(App):
    """A form at ``/``, which posts to ``/upload``."""

    def __init__(self, folder):
        super().__init__(max_upload_size=256 * 1024 * 1024)
        self._folder = Path(folder)

    async def index(self):
        return FORM

    async def upload(self, file):
        """Write the file to disk chunk by chunk, while it arrives."""
        if isinstance(file, str):  # the parameter came from the query or a text field
            raise HTTPError(400, "Send a multipart form with a file")
        digest, size = hashlib.sha256(), 0
        # A name of our own: the client's may be anything, or another file's.
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".upload", delete=False) as target:
            try:
                async for chunk in file:
                    target.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    print(f"{size:,} bytes so far")
            except BaseException:  # the client left, or sent too much: keep no half file
                Path(target.name).unlink()
                raise
        return {
            "filename": file["filename"],
            "content_type": file["content_type"],
            "bytes": size,
            "sha256": digest.hexdigest(),
            "stored_as": Path(target.name).name,
        }


app = Uploads(tempfile.gettempdir())
