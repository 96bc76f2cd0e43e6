"""The site in Django; CORS by django-cors-headers, as Django has none."""

import asyncio
import logging

import django
from django.conf import settings
from django.contrib.auth.hashers import acheck_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.asgi import get_asgi_application
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.templatetags.static import static
from django.test.utils import override_settings
from django.urls import path
from django.views.static import serve

from sites.content import (
    CHUNKS,
    FRIEND,
    HOST,
    HOUR,
    OLD_SECRET,
    PAGE,
    SECRET,
    SHORT_SECRET,
    TAG,
    filled,
)

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
CORS = ["corsheaders.middleware.CorsMiddleware"]
VALIDATORS = (  # those of a new project
    "UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator",
)  # fmt: skip
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
    "passwords": {
        "AUTH_PASSWORD_VALIDATORS": [{"NAME": f"django.contrib.auth.password_validation.{one}"} for one in VALIDATORS]
    },
    "signing": {"PURPOSE": "mail"},
    "signing, other purpose": {"PURPOSE": "password"},
    "signing, old secret": {"PURPOSE": "mail", "SECRET_KEY": OLD_SECRET},
    "signing, rotated": {"PURPOSE": "mail", "SECRET_KEY_FALLBACKS": [OLD_SECRET]},
    "signing, short secret": {"PURPOSE": "mail", "SECRET_KEY": SHORT_SECRET},
    "signing, no purpose": {},
    "static": {},
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


async def hash_view(request):
    password = request.GET["password"]
    try:
        validate_password(password)
    except ValidationError as error:
        return HttpResponse(" ".join(error.messages), status=400)
    return HttpResponse(make_password(password))


async def verify(request):
    if "stored" not in request.GET:
        make_password(request.GET["password"])  # for a user that there isn't, as ModelBackend does
        return JsonResponse({"right": False, "renew": False})
    renewed = []

    async def renew(password):
        renewed.append(password)

    right = await acheck_password(request.GET["password"], request.GET["stored"], renew)
    return JsonResponse({"right": right, "renew": bool(renewed)})


def purpose():
    return {"salt": settings.PURPOSE} if hasattr(settings, "PURPOSE") else {}


async def sign(request):
    return HttpResponse(signing.dumps(request.GET["value"], **purpose()))


async def unsign(request):
    return HttpResponse(signing.loads(request.GET["token"], max_age=HOUR, **purpose()))


async def unsign_for_ever(request):
    return HttpResponse(signing.loads(request.GET["token"], **purpose()))


def file(request, name):
    return serve(request, name, document_root=settings.FILES)


async def link(request):
    return HttpResponse(static("site.css"))


urlpatterns = [
    path("", index),
    path("hash", hash_view),
    path("sign_for_ever", sign),
    path("static/<path:name>", file),
    path("static/", file, {"name": ""}),
    path("write/<name>", write),
    *(path(one.__name__, one) for one in (page, tagged, post, fail, stream, events, visits, read, login, logout)),
    *(path(one.__name__, one) for one in (verify, sign, unsign, unsign_for_ever, link)),
]


def configure(folder, redis=""):
    """Configure Django, once a process: its database is a SQLite file of this folder, its cache is on that Redis."""
    settings.configure(
        STATIC_URL="/static/",
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


_overridden = []  # the settings of the last site that was made


def made(battery, place=""):
    files = {"FILES": filled(place)} if battery == "static" else {}
    for last in _overridden:
        last.disable()
    override = override_settings(**SETTINGS.get(battery, {}), **files)
    override.enable()  # until the next is made, which reads them as it is made
    _overridden[:] = [override]
    return get_asgi_application()
