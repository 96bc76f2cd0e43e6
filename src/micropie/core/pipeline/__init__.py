"""The way of a request, step by step, and the file where each step is.

1  the path leads to a handler                             routing/router.py
2  the body is read, within that handler's limits          requests/body.py
3  the session is loaded                                   sessions/store.py
4  before hooks                                            http.py, hooks/hooks.py
5  the guards of the branch                                guards.py
6  the arguments are bound                                 handlers/binding.py, handlers/typed_arguments.py
7  the handler is called, in a thread if it may block      engine.py
8  its result becomes a Reply                              replies/reply.py
9  after hooks                                             http.py, hooks/hooks.py
10 the session is saved                                    sessions/store.py
11 the reply is sent                                       sending.py, replies/asgi.py
   or streamed                                             streamed_reply.py, replies/streaming.py

The steps are called in http.py. What goes wrong on the way: failures/. Another application answers: mounts.py.
A WebSocket goes another way: websocket.py, with websocket_closing.py and websocket_session.py.
"""
