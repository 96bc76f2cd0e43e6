"""What Starlette makes of the largest bodies: it has no typed ones."""

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def quick(request):
    return PlainTextResponse("quick")


async def raw(request):
    return PlainTextResponse(str(len(await request.body())))


async def json(request):
    return PlainTextResponse(str(len(await request.json())))


async def form(request):
    return PlainTextResponse(str(len((await request.form()).keys())))


app = Starlette(
    routes=[Route("/quick", quick), *(Route(f"/{each.__name__}", each, methods=["POST"]) for each in (raw, json, form))]
)
