"""The smallest site with what every battery is asked about: `made(battery, place)` is its ASGI application."""
