"""The way of a request, step by step, and the file where each step is.

1  the body is read, within its limits                     requests/body.py
2  the session is loaded                                   sessions/store.py
3  before hooks                                            hooks.py
4  the path leads to a handler, past its guards            routing/router.py, guards.py
5  its arguments are bound                                 handlers/binding.py
6  it is called, in a thread if it may block               engine.py
7  its result becomes a Reply                              replies/reply.py
8  after hooks                                             hooks.py
9  the session is saved                                    sessions/store.py
10 the reply is sent                                       sending.py, replies/asgi.py, replies/streaming.py

The steps are called in http.py. What goes wrong on the way: error_replies.py. Another application answers: mounts.py.
A WebSocket: websocket.py.
"""
