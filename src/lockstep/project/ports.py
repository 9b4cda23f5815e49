"""Whether an address can be listened on, asked before anything is started."""

import errno
import socket

__all__ = ["PortBusyError", "check_port"]


class PortBusyError(Exception):
    """A port can't be used. The text names it and what to do."""


def check_port(port: int, what: str, option: str, host: str = "127.0.0.1") -> None:
    """Raise PortBusyError where ``port`` can't be listened on.

    ``what``: who wants it, in words; ``option``: the option that chooses another.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself does
            probe.bind((host, port))
            probe.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortBusyError(
                f"Port {port}, for {what}, is used by another program. Stop that, "
                f"or choose another port: {option} {port + 1 if port < 65535 else port - 1}"
            ) from error
        raise PortBusyError(
            f"Port {port}, for {what}, can't be used ({error.strerror}). Choose another: {option} PORT"
        ) from error
