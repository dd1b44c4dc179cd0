"""A small news server on loopback, as RFC 3977, 4642 and 4643 say it: one group, TLS, AUTHINFO. Real sockets."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .faults import Connection


@dataclass
class NewsServer:
    """`articles` by number; `first` and `last` as GROUP says them where they differ from those; `replies`: what is
    answered to a command in place of the usual; `commands`: what came. Called for each connection."""

    group: str = "company.notices"
    articles: dict[int, bytes] = field(default_factory=dict)
    certificate: Path | None = None
    implicit: bool = False
    login: tuple[str, str] | None = None
    replies: dict[str, bytes | Callable[[Connection], None]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    def __call__(self, connection: Connection) -> None:
        if self.implicit:
            self._encrypt(connection)
        self._state = {"user": "", "in": self.login is None, "tls": self.implicit}
        connection.send(b"200 news ready\r\n")
        while line := connection.until(b"\r\n"):
            words = line.decode("utf-8", "replace").split()
            command = words[0].upper() if words else ""
            self.commands.append(" ".join(words))
            reply = self.replies.get(command)
            if callable(reply):
                reply(connection)
            elif reply is not None:
                connection.send(reply)
            elif command == "QUIT":
                connection.send(b"205 bye\r\n")
                return
            else:
                self._answer(connection, command, words)

    def _answer(self, connection: Connection, command: str, words: list[str]) -> None:
        state = self._state
        if command == "CAPABILITIES":
            offers = b"STARTTLS\r\n" if self.certificate is not None and not state["tls"] else b""
            connection.send(b"101 list\r\nVERSION 2\r\nREADER\r\nOVER\r\n" + offers + b".\r\n")
        elif command == "STARTTLS" and self.certificate is not None:
            connection.send(b"382 go on\r\n")
            self._encrypt(connection)
            state["tls"] = True
        elif command == "AUTHINFO" and words[1].upper() == "USER":
            state["user"] = words[2]
            connection.send(b"381 password\r\n")
        elif command == "AUTHINFO":
            state["in"] = self.login == (state["user"], " ".join(words[2:]))
            connection.send(b"281 welcome\r\n" if state["in"] else b"481 wrong\r\n")
        elif not state["in"]:
            connection.send(b"480 log in first\r\n")
        elif command == "GROUP":
            self._tell_group(connection, words[1])
        elif command == "ARTICLE" and int(words[1]) in self.articles:
            body = self.articles[int(words[1])].replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..")
            connection.send(f"220 {words[1]} <x>\r\n".encode() + body + b"\r\n.\r\n")
        elif command == "ARTICLE":
            connection.send(b"423 no such article\r\n")
        else:
            connection.send(b"500 what\r\n")

    def _tell_group(self, connection: Connection, name: str) -> None:
        if name != self.group:
            connection.send(b"411 no such group\r\n")
            return
        numbers = sorted(self.articles) or [0]
        connection.send(f"211 {len(self.articles)} {numbers[0]} {numbers[-1]} {name}\r\n".encode())

    def _encrypt(self, connection: Connection) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert self.certificate is not None
        context.load_cert_chain(self.certificate)
        connection.socket = context.wrap_socket(connection.socket, server_side=True)


def article(mark: str, subject: str, body: str, *headers: str, date: str = "Fri, 20 Nov 2026 08:00:00 +0000") -> bytes:
    """Return an article."""
    head = [f"Message-ID: <{mark}@example.org>", f"Subject: {subject}", f"Date: {date}", *headers]
    return ("\n".join(head) + "\n\n" + body).encode()
