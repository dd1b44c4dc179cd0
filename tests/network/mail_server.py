"""A real mail server on loopback (aiosmtpd) that keeps what it gets, and meets a fault where the test wants one."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USERNAME, PASSWORD = "lab@example.com", "Gr0undhog-Tüesday"


class Letters:
    """What came, and what is to happen next. `fault()`: the word for the next message, "" for none.

    "451" and "554": refused after its end; "lost": kept, and cut before the answer; "frozen": kept, and no answer;
    "cut": cut before the text. `refused`: receivers with the answer that they get.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[list[str], bytes]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.encrypted: list[bool] = []
        self.refused: dict[str, str] = {}
        self.fault: Callable[[], str] = lambda: ""
        self._next = ""

    def messages(self) -> list[EmailMessage]:
        """The messages, parsed. No property: for each connection, aiosmtpd reads all attributes of its handler."""
        found = [email.message_from_bytes(content, policy=email.policy.default) for _to, content in self.kept]
        return [each for each in found if isinstance(each, EmailMessage)]

    def authenticate(self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (USERNAME.encode(), PASSWORD.encode()), handled=False)

    async def handle_MAIL(self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self._next = self.fault()
        if self._next == "cut":
            _cut(server)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if self._next in ("451", "554"):
            return f"{self._next} not this one"
        self.encrypted.append(_transport(server).get_extra_info("ssl_object") is not None)
        self.kept.append((list(envelope.rcpt_tos), envelope.original_content))
        if self._next == "lost":
            _cut(server)
        elif self._next == "frozen":
            await asyncio.sleep(3600)
        return "250 kept"


def _transport(server: SMTP) -> Any:
    return server.transport


def _cut(server: SMTP) -> None:
    _transport(server).abort()


@contextmanager
def mail_server(certificate: Path | None = None, implicit: bool = False) -> Iterator[tuple[int, Letters]]:
    """Run a server; give its port and what it keeps. With a certificate it wants encryption before anything else."""
    letters, loop = Letters(), asyncio.new_event_loop()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def made() -> SMTP:
        return SMTP(
            letters, hostname="mail.example.com", loop=loop, enable_SMTPUTF8=True,
            tls_context=None if implicit else context, require_starttls=context is not None and not implicit,
            authenticator=letters.authenticate, auth_require_tls=False,
        )  # fmt: skip

    server = loop.run_until_complete(loop.create_server(made, "127.0.0.1", 0, ssl=context if implicit else None))
    thread = threading.Thread(target=loop.run_forever, name="mail-server", daemon=True)
    thread.start()

    async def end() -> None:
        server.close()
        others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield server.sockets[0].getsockname()[1], letters
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
