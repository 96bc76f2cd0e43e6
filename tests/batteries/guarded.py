"""An application with all guards on, and pages that attack another one, for a browser."""

import logging

from micropie import App
from micropie.middleware import CORSMiddleware, CSRFMiddleware, SecurityHeadersMiddleware, TrustedHostMiddleware

FORM = """<!doctype html><form method=post action="{action}" enctype="{enctype}"><input name=a value=1>
<button>Send</button></form>"""
SCRIPTS = """<!doctype html><title>none</title><script nonce="{nonce}">document.title += " own"</script>
<script>document.title += " smuggled"</script>"""


class Site(App):
    changes = 0

    async def index(self):
        return "<!doctype html><title>Home</title>"

    async def form(self, action="/change", enctype="multipart/form-data"):
        return FORM.format(action=action, enctype=enctype)

    async def change(self):
        self.changes += 1
        return "changed"

    async def changed(self):
        return str(self.changes)

    async def api(self, number: int):
        return {"number": number, "method": self.request.method}

    async def scripts(self):
        return SCRIPTS.format(nonce=self.request.template_context["csp_nonce"])

    async def ws_echo(self, ws):
        await ws.accept()
        await ws.send_text("welcome")


logging.getLogger("micropie").setLevel(logging.ERROR)  # refusals are warned of, and are the point here
app = Site()
app.middlewares += [
    TrustedHostMiddleware(["127.0.0.1", "localhost"]),
    CORSMiddleware(allow_origin_regex=r"http://127\.0\.0\.1:[0-9]+", allow_credentials=True),
    CSRFMiddleware(exempt="/api/*"),
    SecurityHeadersMiddleware(csp="script-src 'nonce-{nonce}'"),
]
