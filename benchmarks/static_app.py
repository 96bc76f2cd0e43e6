"""The folder that `BENCH_FILES` names, served by `StaticFiles` of MicroPie, Starlette and ServeStatic."""

import os

FOLDER = os.environ["BENCH_FILES"]
WHO = os.environ["BENCH_APP"]

if WHO == "starlette":
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    app = Starlette(routes=[Mount("/static", StaticFiles(directory=FOLDER))])
elif WHO == "servestatic":
    from servestatic import ServeStaticASGI

    app = ServeStaticASGI(None, root=FOLDER, prefix="static")
else:
    from micropie import RSGI, App
    from micropie.static import StaticFiles

    class Site(App):
        static = StaticFiles(FOLDER)

    app = RSGI(Site()) if WHO == "micropie-rsgi" else Site()
