"""What MicroPie serves while it is loaded."""

import time

from micropie import App

CHUNK = b"x" * 16_384


class Loaded(App):
    async def quick(self):
        return "quick"

    def sleep(self):
        time.sleep(0.02)
        return "slept"

    async def stream(self):
        while True:
            yield CHUNK

    def stream_sync(self):
        while True:
            yield CHUNK

    async def upload(self, file):
        size = 0
        async for chunk in file:
            size += len(chunk)
        return str(size)


app = Loaded()
