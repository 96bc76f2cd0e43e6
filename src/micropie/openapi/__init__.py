"""The OpenAPI document of an application, and a page to explore it with.

from micropie import App
from micropie.openapi import Docs

class Site(App):
    docs = Docs(title="My site")        # /docs and /openapi.json
"""

from micropie.openapi.document import openapi
from micropie.openapi.explorer import Docs
from micropie.openapi.marks import form, unlisted

__all__ = ["Docs", "form", "openapi", "unlisted"]
