"""Quart's upload, read in pieces."""

from quart import Quart, request

PIECE = 65_536

app = Quart(__name__)
app.config["MAX_CONTENT_LENGTH"] = None
app.config["BODY_TIMEOUT"] = None


@app.post("/upload")
async def upload():
    size = 0
    file = (await request.files)["file"]
    while chunk := file.read(PIECE):
        size += len(chunk)
    return str(size)
