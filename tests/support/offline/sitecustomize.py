"""No network for any Python that has this folder in PYTHONPATH: attempts are noted and refused.

They are lines of the file that ATTEMPTS names. This machine itself may be reached.
"""

import os
import socket
import sys
from typing import Any

_EVENTS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0,
           "socket.gethostbyname": 0, "urllib.Request": 0}  # fmt: skip
_HERE = {None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", socket.gethostname()}


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    place = arguments[_EVENTS[event]]
    if isinstance(place, tuple):  # else the path of a socket of this machine
        place = place[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        return
    if place in _HERE:
        return
    with open(os.environ["ATTEMPTS"], "a", encoding="utf-8") as notes:  # noqa: PTH123
        notes.write(f"{event} {place} by {' '.join(sys.argv)}\n")
    raise OSError(f"no network: {event} {place}")


sys.addaudithook(_refuse)
