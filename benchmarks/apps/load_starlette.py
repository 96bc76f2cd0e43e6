"""Starlette's upload, read in pieces."""

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

PIECE = 65_536


async def upload(request):
    size = 0
    async with request.form() as form:
        while chunk := await form["file"].read(PIECE):
            size += len(chunk)
    return PlainTextResponse(str(size))


app = Starlette(routes=[Route("/upload", upload, methods=["POST"])])
