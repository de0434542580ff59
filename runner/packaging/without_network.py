"""A process that reaches nobody: what a stranger's study is derived again in, whatever its code or options are."""

from __future__ import annotations

import sys

ASKS = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
LOOKS_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")


class NetworkShut(OSError):
    """Something wanted to reach a machine."""


def shut_network() -> None:
    """From here on no address is looked up, reached or listened at; sockets between processes stay. There is no way back."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in LOOKS_UP or (
        event in ASKS and any(isinstance(one, tuple) for one in arguments)
    ):  # a tuple: host and port
        raise NetworkShut(f"{event}: a package is verified without network")
