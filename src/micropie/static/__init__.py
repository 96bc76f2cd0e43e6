"""Files: `StaticFiles` serves a folder from the class body, `FileReply` one file from any handler.

from micropie import App
from micropie.static import FileReply, StaticFiles

class Site(App):
    static = StaticFiles("static")

    async def report(self):
        return FileReply("reports/2026.pdf", download=True)
"""

from micropie.static.file_reply import FileReply
from micropie.static.static_files import StaticFiles

__all__ = ["FileReply", "StaticFiles"]
