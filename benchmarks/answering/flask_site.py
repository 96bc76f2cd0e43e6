"""Flask."""

import time

from flask import Flask, Response, request, session

app = Flask(__name__)
app.secret_key = "secret"


@app.route("/text")
def text():
    return "Hello"


@app.route("/returns_none")
def returns_none():
    return None


@app.route("/returns_int")
def returns_int():
    return 7


@app.route("/returns_list")
def returns_list():
    return [1, 2]


@app.route("/returns_set")
def returns_set():
    return {1}


@app.route("/returns_dict")
def returns_dict():
    return {"n": 1}


@app.get("/only")
def only():
    return "only GET"


@app.route("/number/<int:n>")
def number(n):
    return str(n + 1)


@app.route("/field")
def field():
    return request.args["name"]


@app.post("/post")
def post():
    return {"count": request.json["count"]}


@app.route("/fail")
def fail():
    raise RuntimeError("secret words")


@app.route("/sleep")
@app.route("/block")
def block():
    time.sleep(0.4)
    return "blocked"


@app.route("/stream")
def stream():
    def chunks():
        for n in range(2):
            yield f"{n}\n"
            time.sleep(0.4)

    return Response(chunks())


@app.route("/visits")
def visits():
    session["n"] = session.get("n", 0) + 1
    return str(session["n"])
