"""Servers on loopback that misbehave on purpose: each connection is handed to a script, a function of the test's."""

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_GREETING_OF_TLS = b"\x16\x03"


class Connection:
    """The server's end of one connection, with what scripts need."""

    def __init__(self, connection: socket.socket, ended: threading.Event) -> None:
        self.socket = connection
        self.ended = ended
        self._waiting = bytearray()

    def request(self) -> bytes:
        """Read one HTTP request, head and body (by its length); b"" when the client has gone."""
        head = self.until(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return head + self.exactly(int(length[1]) if length else 0)

    def until(self, mark: bytes) -> bytes:
        """Read up to the mark; b"" when the client has gone. One that greets in TLS is hung up on, as servers do."""
        while (place := self._waiting.find(mark)) < 0:
            block = self.socket.recv(65536)
            if not block:
                return b""
            self._waiting += block
            if self._waiting.startswith(_GREETING_OF_TLS):
                raise ConnectionAbortedError
        return self._take(place + len(mark))

    def exactly(self, size: int) -> bytes:
        while len(self._waiting) < size and (block := self.socket.recv(65536)):
            self._waiting += block
        return self._take(size)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def drip(self, data: bytes, seconds: float) -> None:
        """Send one byte after the other, with a pause after each, until the client or the test ends it."""
        for number in range(len(data)):
            self.send(data[number : number + 1])
            if self.ended.wait(seconds):
                return

    def stall(self) -> None:
        """Neither read nor send until the test is over."""
        self.ended.wait(120)

    def reset(self) -> None:
        """Cut the connection off so that the other side gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Script = Callable[[Connection], None]


@contextlib.contextmanager
def serving(script: Script, port: int = 0) -> Iterator[int]:
    """Run the script for every connection until the block ends; yields the port on 127.0.0.1 (0: any)."""
    ended = threading.Event()

    def play(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            script(Connection(connection, ended))

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(30)
                threading.Thread(target=play, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    """An answer of HTTP/1.1 with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


LOGIN_PAGE = (
    b"<html><body><form action='/login' method='post'><input name=user>"
    b"<input class='x' name=\"pw\" type='PASSWORD'></form></body></html>"
)


@dataclass
class Ftp:
    """A small FTP server (passive mode only) whose replies a test can replace.

    `replies`: what to answer to a command instead ("" : nothing, for ever); `keep`: how many bytes of a STOR to keep;
    `after`: called with the control connection and the data connection when that many bytes have come.
    """

    replies: dict[str, str] = field(default_factory=dict)
    welcome: str = "220 ready"
    keep: int | None = None
    after: Callable[[Connection, Connection], None] | None = None
    deletes: bool = True
    renames: bool = True
    overwrites: bool = True  # by renaming; STOR always does
    certificate: Path | None = None  # AUTH TLS is known then
    ends_tls: bool = True  # data connections are ended as TLS wants it
    continues: tuple[str, ...] = ()  # REST, APPE
    files: dict[str, bytes] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    deleted: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)  # a client has said QUIT

    def __call__(self, control: Connection) -> None:
        def reply(text: str) -> None:
            control.send(f"{text}\r\n".encode())

        if not self.welcome:
            control.stall()
        reply(self.welcome)
        listener: socket.socket | None = None
        renaming, offset = "", 0
        while line := control.until(b"\r\n"):
            command, _, argument = line.decode().strip().partition(" ")
            self.commands.append(f"{command} {argument}".strip())
            if command in self.replies:
                if not self.replies[command]:
                    control.stall()
                    return
                reply(self.replies[command])
            elif command == "AUTH" and self.certificate is not None:
                control.send(b"234 go on\r\n331 slipped in\r\n")  # the second line isn't encrypted: nobody may read it
                control.socket = self._encrypted(control.socket)
            elif command == "RNFR" and self.renames:
                reply("350 and to?" if argument in self.files else "550 no such file")
                renaming = argument
            elif command == "RNTO" and renaming in self.files and (self.overwrites or argument not in self.files):
                self.files[argument] = self.files.pop(renaming)
                reply("250 renamed")
            elif command in ("RNFR", "RNTO"):
                reply("550 denied" if command == "RNFR" else "553 it exists")
            elif command in ("PBSZ", "PROT"):
                reply("200 fine")
            elif command == "USER":
                reply("331 password?")
            elif command == "PASS":
                reply("230 welcome")
            elif command == "EPSV" or command == "PASV":
                listener = socket.create_server(("127.0.0.1", 0))
                port = listener.getsockname()[1]
                reply(f"227 here (127,0,0,1,{port // 256},{port % 256})")
            elif command == "STOR" and listener is not None:
                self._store(control, listener, argument, reply, offset)
                offset = 0
            elif command == "APPE" and listener is not None and "APPE" in self.continues:
                self._store(control, listener, argument, reply, len(self.files[argument]))
            elif command == "REST" and "REST" in self.continues:
                offset = int(argument)
                reply("350 go on")
            elif command == "SIZE":
                reply(f"213 {len(self.files[argument])}" if argument in self.files else "550 no such file")
            elif command == "LIST" and listener is not None:
                reply("150 here it comes")
                with listener, listener.accept()[0] as data:
                    content = self.files.get(argument, b"")
                    data.sendall(f"-rw-r--r-- 1 lab lab {len(content)} Nov 21 10:00 {argument}\r\n".encode())
                reply("226 done")
            elif command == "DELE":
                reply("250 gone" if self.deletes and self.files.pop(argument, None) is not None else "550 not allowed")
                self.deleted.set()
            elif command == "QUIT":
                self.left.set()
                reply("221 bye")
                return
            else:
                reply("200 fine" if command == "TYPE" else "502 not known")

    def _encrypted(self, plain: socket.socket) -> socket.socket:
        assert self.certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        return context.wrap_socket(plain, server_side=True)

    def _accepted(self, listener: socket.socket) -> socket.socket:
        data, _ = listener.accept()
        return data if self.certificate is None else self._encrypted(data)

    def _store(
        self,
        control: Connection,
        listener: socket.socket,
        name: str,
        reply: Callable[[str], None],
        offset: int = 0,
    ) -> None:
        reply("150 send it")
        content = bytearray(self.files.get(name, b"")[:offset])
        self.files[name] = bytes(content)  # opened, and with that cut off
        with listener, self._accepted(listener) as data:
            data.settimeout(30)
            while block := data.recv(65536):
                content += block
                if self.keep is not None and len(content) >= self.keep:
                    del content[self.keep :]
                    self.files[name] = bytes(content)
                    if self.after is not None:  # the client may go on over another connection from here
                        self.after(control, Connection(data, control.ended))
                        break
            else:
                if name in self.files:  # not deleted meanwhile
                    self.files[name] = bytes(content)
            if isinstance(data, ssl.SSLSocket) and self.ends_tls:
                with contextlib.suppress(OSError, ValueError):
                    data.unwrap()
        reply(self.replies.get("226", "226 stored"))
