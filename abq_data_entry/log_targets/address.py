"""The address of a log server, as the setting `log_server` has it."""

import re
from typing import NamedTuple

PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
"""The ports that IANA has assigned to syslog, by transport."""

_PATTERN = r"(udp|tcp|tls)://(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+)(?::(\d{1,5}))?"
_LONGEST_PATH = 100  # bytes; a socket's path ends at 104 or 108


class Address(NamedTuple):
    """`way`: the transport `local`, `udp`, `tcp` or `tls`; `local` has a socket's path instead of host and port."""

    way: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path if self.way == "local" else f"{self.way}://{host}:{self.port}"


def address_of(text: str) -> Address:
    """Parse `tls://host:port`, or the absolute path of a socket. Raises ValueError."""
    if text.startswith("/") and len(text.encode("utf-8", "replace")) <= _LONGEST_PATH and text.isprintable():
        return Address("local", "", 0, text)
    found = re.fullmatch(_PATTERN, text)
    port = int(found[3] or PORTS[found[1]]) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(text)
    return Address(found[1], found[2].strip("[]"), port)


def address_problem(text: str) -> str | None:
    """Return why the text isn't a valid address, as the end of a sentence; None if it is, or is ''."""
    try:
        if text:
            address_of(text)
    except ValueError:
        return "must be like tls://logs.lab.example:6514 (or tcp://, udp://), or the path of a socket"
    return None
