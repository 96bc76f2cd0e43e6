"""CherryPy, on its own server."""

import sys
import time

import cherrypy


class Site:
    @cherrypy.expose
    def text(self):
        return "Hello"

    @cherrypy.expose
    def returns_none(self):
        return None

    @cherrypy.expose
    def returns_int(self):
        return 7

    @cherrypy.expose
    def returns_list(self):
        return [1, 2]

    @cherrypy.expose
    def returns_set(self):
        return {1}

    @cherrypy.expose
    def returns_dict(self):
        return {"n": 1}

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["GET"])
    def only(self):
        return "only GET"

    @cherrypy.expose
    def number(self, n):
        return str(int(n) + 1)

    @cherrypy.expose
    def field(self, name):
        return name

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    @cherrypy.tools.json_in()
    @cherrypy.tools.json_out()
    def post(self):
        return {"count": cherrypy.request.json["count"]}

    @cherrypy.expose
    def fail(self):
        raise RuntimeError("secret words")

    @cherrypy.expose(["sleep"])
    def block(self):
        time.sleep(0.4)
        return "blocked"

    @cherrypy.expose
    @cherrypy.config(**{"response.stream": True})
    def stream(self):
        for n in range(2):
            yield f"{n}\n"
            time.sleep(0.4)

    @cherrypy.expose
    @cherrypy.config(**{"tools.sessions.on": True})
    def visits(self):
        cherrypy.session["n"] = n = cherrypy.session.get("n", 0) + 1
        return str(n)


def serve(port):
    cherrypy.config.update({"server.socket_port": port, "log.screen": False})
    cherrypy.engine.subscribe("start", lambda: print("STARTED", flush=True))
    cherrypy.engine.subscribe("stop", lambda: print("STOPPED", flush=True))
    cherrypy.quickstart(Site())


if __name__ == "__main__":
    serve(int(sys.argv[1]))
