"""The framework itself, on the standard library alone: all that the one-file form contains.

A folder is a chapter, and imports only from those above it:

    late          what of all these is imported only when it is asked for
    basics        types of the ASGI edge, errors, headers, JSON, threads
    conversion    from what a client sends to the type that a handler wants
    replies       what goes out: a handler's result, and how it is sent
    requests      what comes in: the request, its body, its uploads, its session
    websockets    a WebSocket: what comes and goes over it, its limits, its end
    templates     Jinja2
    handlers      a handler's signature: where its arguments come from, what of its result goes out
    sessions      where sessions live between requests
    routing       a class as a tree of routes, a path's handler, a handler's URL
    engine        the parts of an application, which every step of a request is passed
    failures      what goes wrong: who is asked for an answer, what the client and the log are told
    hooks         of middlewares, around every request
    lifespan      the start and the stop of an application
    pipeline      the way of a request, step by step: its `__init__` is the table of contents
    app           App, the class that users inherit from
    inspection    what tools may know of an application
    rsgi          another protocol for the same pipeline
    run           an application served by the server that is installed

Conversion, handlers and routing are made once, when the application is; the pipeline runs for each request.
"""
