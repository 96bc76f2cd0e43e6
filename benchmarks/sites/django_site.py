"""The site in Django; CORS by django-cors-headers, as Django has none."""

import asyncio
import logging

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.test.utils import override_settings
from django.urls import path

from sites.content import CHUNKS, FRIEND, HOST, PAGE, SECRET, TAG

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
CORS = ["corsheaders.middleware.CorsMiddleware"]
STORE = "django.contrib.sessions.backends."
SETTINGS = {
    "cors": {"MIDDLEWARE": CORS, "CORS_ALLOWED_ORIGINS": [FRIEND]},
    "cors *": {"MIDDLEWARE": CORS, "CORS_ALLOW_ALL_ORIGINS": True, "CORS_ALLOW_CREDENTIALS": True},
    "csrf": {"MIDDLEWARE": ["django.middleware.csrf.CsrfViewMiddleware"]},
    "hosts": {"ALLOWED_HOSTS": [HOST], "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"]},
    "hosts, unset": {"ALLOWED_HOSTS": [], "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"]},
    "headers": {
        "MIDDLEWARE": [
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ]
    },
    "compression": {"MIDDLEWARE": ["django.middleware.gzip.GZipMiddleware"]},
    "etag": {"MIDDLEWARE": ["django.middleware.http.ConditionalGetMiddleware"]},
    "sessions": {"MIDDLEWARE": [SESSIONS]},
    "sqlite": {"MIDDLEWARE": [SESSIONS]},
    "cookie": {"MIDDLEWARE": [SESSIONS], "SESSION_ENGINE": STORE + "signed_cookies"},
    "redis": {"MIDDLEWARE": [SESSIONS], "SESSION_ENGINE": STORE + "cache"},
}


async def index(request):
    return HttpResponse("Hello")


async def page(request):
    return HttpResponse(PAGE)


async def tagged(request):
    return HttpResponse(PAGE, headers={"ETag": TAG})


async def post(request):
    return HttpResponse("done")


async def fail(request):
    raise RuntimeError


async def chunks(form="{}"):
    for chunk in CHUNKS:
        yield form.format(chunk)
        await asyncio.sleep(0.05)


async def stream(request):
    return StreamingHttpResponse(chunks(), content_type="text/plain")


async def events(request):
    return StreamingHttpResponse(chunks("data: {}\r\n\r\n"), content_type="text/event-stream")


async def visits(request):
    count = await request.session.aget("visits", 0) + 1
    await request.session.aset("visits", count)
    return HttpResponse(str(count))


async def write(request, name):
    await request.session.aset(name, 1)
    await asyncio.sleep(0.02)
    return HttpResponse("done")


async def read(request):
    return JsonResponse(sorted(await request.session.akeys()), safe=False)


async def login(request):
    await request.session.acycle_key()
    await request.session.aset("user", "ada")
    return HttpResponse("done")


async def logout(request):
    await request.session.aflush()
    return HttpResponse("done")


urlpatterns = [
    path("", index),
    path("write/<name>", write),
    *(path(one.__name__, one) for one in (page, tagged, post, fail, stream, events, visits, read, login, logout)),
]


def configure(folder, redis=""):
    """Configure Django, once a process: its database is a SQLite file of this folder, its cache is on that Redis."""
    settings.configure(
        SECRET_KEY=SECRET,
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["django.contrib.sessions", "corsheaders"],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis}},
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{folder}/django.db",
                "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"},
            }
        },
    )
    django.setup()
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    call_command("migrate", verbosity=0)


BATTERIES = frozenset(SETTINGS)


def made(battery, place=""):
    override_settings(**SETTINGS.get(battery, {})).enable()  # until the next is made, which reads them as it is made
    return get_asgi_application()
