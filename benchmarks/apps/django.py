"""Django over ASGI: async views, Jinja2, sessions in its cache in memory, and only the middlewares of a row."""

import json as standard_json

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.test.utils import override_settings
from django.urls import path
from workloads import FORTUNES

settings.configure(
    SECRET_KEY="secret",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    TEMPLATES=[{"BACKEND": "django.template.backends.jinja2.Jinja2", "DIRS": ["templates"]}],
)


class Nothing:
    """Sees every request and its reply."""

    async_capable, sync_capable = True, False

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    async def __call__(self, request):
        return await self.get_response(request)


async def json(request):
    return JsonResponse({"message": "Hello, World!"})


async def text(request):
    return HttpResponse("Hello, World!", content_type="text/plain")


async def greet(request, name):
    return HttpResponse(f"Hello, {name}!", content_type="text/plain")


async def greet_by_query(request):
    return HttpResponse(f"Hello, {request.GET['name']}!", content_type="text/plain")


async def echo(request):
    return JsonResponse(standard_json.loads(request.body))


async def form(request):
    return HttpResponse(request.POST["email"], content_type="text/plain")


async def visits(request):
    count = await request.session.aget("visits", 0) + 1
    await request.session.aset("visits", count)
    return HttpResponse(str(count), content_type="text/plain")


async def stream(request):
    async def chunks():
        for number in range(1, 6):
            yield f"Chunk {number}\n"

    return StreamingHttpResponse(chunks(), content_type="text/plain")


async def fortunes(request):
    return render(request, "fortunes.html", {"fortunes": FORTUNES})


async def upload(request):
    return HttpResponse(str(len(request.FILES["file"].read())), content_type="text/plain")


def sync(request):
    return HttpResponse("Hello, World!", content_type="text/plain")


urlpatterns = [
    path("greet/<name>", greet),
    path("greet", greet_by_query),
    *(path(view.__name__, view) for view in (json, text, echo, form, visits, stream, fortunes, upload, sync)),
]


def application(*middlewares):
    import django

    with override_settings(MIDDLEWARE=list(middlewares)):  # read when the application is made
        django.setup(set_prefix=False)
        return get_asgi_application()


APPS = {
    "default": application(),
    "mw": application(*[f"{__name__}.Nothing"] * 3),
    "visits": application("django.contrib.sessions.middleware.SessionMiddleware"),
}
MISSING = ("typed", "ws")
NOTES = {}
