"""Serves one application of `applications.py`, or of another module, with Uvicorn, on a free port that it prints.

The socket listens before the port is printed, so nobody has to poll for the server.
"""

import socket
import sys

import uvicorn


def main(name: str) -> None:
    """Serve until SIGTERM."""
    config = uvicorn.Config(
        name if ":" in name else f"tests.integrations.applications:{name}",
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    config.load()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)  # noqa: T201  it is what the test waits for
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
