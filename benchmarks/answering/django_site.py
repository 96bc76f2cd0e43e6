"""Django over ASGI, with its sessions in signed cookies, since tables would want a migration."""

import asyncio
import time

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

settings.configure(
    SECRET_KEY="secret",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)


async def text(request):
    return HttpResponse("Hello")


async def returns_none(request):
    return None


async def returns_int(request):
    return 7


async def returns_list(request):
    return [1, 2]


async def returns_set(request):
    return {1}


async def returns_dict(request):
    return {"n": 1}


@require_GET
async def only(request):
    return HttpResponse("only GET")


async def number(request, n):
    return HttpResponse(str(n + 1))


async def field(request):
    return HttpResponse(request.GET["name"])


@require_POST
async def post(request):
    import json

    return JsonResponse({"count": json.loads(request.body)["count"]})


async def fail(request):
    raise RuntimeError("secret words")


async def sleep(request):
    await asyncio.sleep(0.4)
    return HttpResponse("slept")


def block(request):
    time.sleep(0.4)
    return HttpResponse("blocked")


async def stream(request):
    async def chunks():
        for n in range(2):
            yield f"{n}\n"
            await asyncio.sleep(0.4)

    return StreamingHttpResponse(chunks())


async def visits(request):
    n = await request.session.aget("n", 0) + 1
    await request.session.aset("n", n)
    return HttpResponse(str(n))


urlpatterns = [
    path("number/<int:n>", number),
    *(
        path(view.__name__.rstrip("_"), view)
        for view in (text, returns_none, returns_int, returns_list, returns_set, returns_dict, only, field)
    ),
    *(path(view.__name__, view) for view in (post, fail, sleep, block, stream, visits)),
]
app = get_asgi_application()
