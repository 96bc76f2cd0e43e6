"""The smallest useful application: methods are URLs, parameters come from the path, the query or a form."""

from micropie import App


class Hello(App):
    """Answers at ``/``, ``/greet`` and ``/about-us``."""

    async def index(self):
        return "Hello, World!"

    async def greet(self, name="Guest"):
        return {"greeting": f"Hello, {name}!"}

    def about_us(self):
        return "A plain function works too; it runs in a worker thread."


app = Hello()
