"""Where a server is to listen, tried before it starts: what is wrong around us ends the program with one line."""

import errno
import os
from typing import Any

from micropie.core.basics.optional import lazy_import
from micropie.core.run.import_path import path_of
from micropie.core.run.options import ServeOptions


def stop_with(reason: str) -> SystemExit:
    """The exit that ends the program with a line and the status 1."""
    return SystemExit(f"micropie: {reason}")


def refuse_unreadable(tls: tuple[str, str] | None) -> None:
    """End the program if certificate and key are not there, not readable, or no pair."""
    if tls is None:
        return
    for file in tls:
        try:
            path_of(file).open("rb").close()
        except OSError as error:
            raise stop_with(f"{file} can't be read: {error.strerror}") from None
    ssl = lazy_import("ssl")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*tls, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise stop_with(f"{tls[0]} and {tls[1]} are no certificate with its key: {reason}") from None


def refuse_taken(options: ServeOptions) -> None:
    """End the program if the address is in use, not ours to use, or none at all."""
    socket = lazy_import("socket")
    try:
        if options.fd is not None:
            socket.socket(fileno=os.dup(options.fd)).close()
        elif options.uds is not None:
            refuse_taken_path(socket, options.uds)
        else:
            refuse_taken_port(socket, options.host, options.port)
    except OSError as error:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise stop_with(f"{options.address} can't be listened at: {reason}") from None


def refuse_taken_port(socket: Any, host: str, port: int) -> None:
    """OSError if nobody can listen there."""
    absent: list[OSError] = []
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for family, _, _, _, address in addresses:
        try:
            probe_address(socket, family, address)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            absent.append(error)  # a name may have an IPv6 address where there is no IPv6
    if len(absent) == len(addresses):
        raise absent[-1]


def probe_address(socket: Any, family: int, address: Any) -> None:
    """Listen at an address, or nearly."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere it would allow what is in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def refuse_taken_path(socket: Any, path: str) -> None:
    """OSError if nobody can listen there. What a dead server has left there is removed."""
    file = path_of(path)
    if file.exists() and not file.is_socket():
        raise OSError(errno.EEXIST, "there is a file of that name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            file.unlink(missing_ok=True)
        else:
            raise OSError(errno.EADDRINUSE, "")
        probe.bind(path)
    file.unlink()
