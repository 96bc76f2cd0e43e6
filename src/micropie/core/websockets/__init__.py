"""A WebSocket: its messages in and out, its limits, its end.

websocket.py       what handlers call: accept, receive, send, close
lifecycle.py       the stage that a connection is in, and every way from one to the next
closing.py         a close: its code, which of them may be sent, its reason
inbox.py           who asks the server for the next event, and the look ahead for the peer's leaving
idle_watch.py      notices a connection without messages
interruption.py    cancels what a handler waits for when its connection is over
messages.py        messages as values of a type
handshake.py       what a socket asks of the request that it began as

What runs beside a handler, who begins it, and who ends it:

the inbox's timer and its reader      an accept, a receive, a failed send    the lifecycle, at the connection's end
the idle watch's timer                an accept                              the lifecycle, at the connection's end
the close of an idle connection       the idle watch                         nobody: `settle` waits for it
the interruption's timer              the peer's leaving                     whoever tells the handler, or its end
the close when the server stops       lifespan/going_away.py                 that too, when the handler has ended

Of all these only the interruption cancels what the handler waits for. A server may cancel the whole connection.
"""
