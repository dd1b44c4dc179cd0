"""The FTP server: the way to it, its encryption, what it says that it can; a login and a tiny file only if wanted."""

from __future__ import annotations

import contextlib
import ftplib
import ssl
import time

from . import encryption, file_transfer, probing
from .destination import Destination
from .failures import InvalidInput
from .file_transfer import Login, certificate_of, ftp_security
from .ftp_session import Session
from .guard import is_loopback
from .probing import MADE_LATER, TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name, shown, usable

_PLAIN = "Names, passwords and files can be read on the way. Ask for encryption; the setting is abq_ftp_security."
_TOLD = ("MLST", "REST", "SIZE", "HASH", "XSHA256", "MFMT", "UTF8")


class _TimedSession(Session):
    """Knows how long its encryption took."""

    handshake = 0.0

    def _encrypt_control(self) -> None:
        start = time.monotonic()
        super()._encrypt_control()
        self.handshake = time.monotonic() - start


def probe(destination: Destination, context: Context) -> Steps[None]:
    """Check the server."""
    host, number = str(context.settings["abq_ftp_host"]), int(str(context.settings["abq_ftp_port"]))
    inspection = Inspection(f"FTP server {host}:{number}", context, destination.kind)
    yield from usable(inspection, destination.problem(context.settings))
    try:
        security = ftp_security(host, str(context.settings["abq_ftp_security"]))
        ca_file = str(context.settings["abq_ca_file"]) or None
        encrypted = None if security == "none" else encryption.verified_context(ca_file)
    except InvalidInput as error:
        yield from inspection.fail("Settings", inspection.in_words(error))
    addresses = yield from probing.name(inspection, host, number)
    yield from probing.port(inspection, host, number, addresses)
    session = _TimedSession(context.guard, security, encrypted, bool(context.settings["abq_ftp_passive"]))
    try:
        yield from _greeting(inspection, session, Login(host, number, "", "", security, encrypted))
        login = yield from inspection.login(destination.kind)
        if login is None:
            return
        yield from inspection.step("Login", lambda: _log_in(session, *login))
        if folder := str(context.settings["abq_ftp_folder"]):
            yield from inspection.step("Folder", lambda: _enter(session, folder, context.wanted.write))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _store(session))
        session.say_goodbye()
    finally:
        session.close()


def _greeting(inspection: Inspection, session: _TimedSession, login: Login) -> Steps[None]:
    def connect() -> Result[None]:
        start = time.monotonic()
        try:
            session.connect(login.host, login.port)
        except ssl.SSLCertVerificationError as error:
            refused = error
        else:
            welcome = shown((session.welcome or "").removeprefix("220").lstrip(" -"))
            return Result(None, f"“{welcome}”", seconds=time.monotonic() - start - session.handshake)
        session.close()
        raise encryption.refusal(refused, login.host, lambda: certificate_of(inspection.guard, login))

    yield from inspection.step("Greeting", connect)
    context = login.context
    if isinstance(session.sock, ssl.SSLSocket) and context is not None:
        secure, how = session.sock, {"explicit": "AUTH TLS, ", "implicit": "from the start, "}[login.security]

        def secured() -> Result[None]:
            found = probing.secured(secure, context, session.handshake)
            return Result(None, f"{how}{found.text}", found.advice, found.seconds)

        yield from inspection.step("TLS", secured)
    else:
        yield inspection.note("TLS", "not encrypted", "" if is_loopback(login.host) else _PLAIN)
    yield from inspection.step("Abilities", lambda: _abilities(session))


def _abilities(session: Session) -> Result[None]:
    can = [each for each in _TOLD if each in session.features]
    return Result(None, f"it reports {', '.join(can)}" if can else "it reports none (FEAT)")


def _log_in(session: Session, username: str, password: str) -> Result[None]:
    session.login(username, password)
    session.protect_data()
    return Result(None, f"{username} is logged in")


def _enter(session: Session, folder: str, may_make: bool) -> Result[None]:
    try:
        made = file_transfer.enter(session, folder, make=may_make)
    except file_transfer.FolderRefused:
        if may_make:
            raise
        return Result(None, f"{folder} can't be entered", MADE_LATER)
    return Result(None, f"{folder} was made" if made else f"{folder} is there")


def _store(session: Session) -> Result[None]:
    name = new_test_name()
    session.voidcmd("TYPE I")
    try:
        with contextlib.closing(session.transfercmd(f"STOR {name}")) as data:
            data.sendall(TEST_CONTENT)
            session.end_data(data)
            session.voidresp()
    except ftplib.Error:
        with contextlib.suppress(*ftplib.all_errors):  # what there is of it
            session.delete(name)
        raise
    try:
        session.delete(name)
    except (ftplib.error_perm, ftplib.error_temp):
        return Result(None, f"{name} was stored", "It stays there: this user may not remove files, and needn't.")
    return Result(None, f"{name} was stored and removed again")
