"""The FTP server: the way to it, its encryption, what it says that it can; a login and a tiny file only if wanted."""

from __future__ import annotations

import contextlib
import ftplib
import ssl
import time

from ..network import encryption, ftp_folder
from ..network.failures import InvalidInput
from ..network.ftp_login import Login, certificate_of, ftp_security
from ..network.ftp_session import Session
from ..network.guard import is_loopback
from . import names, route, tiny_file
from .steps import Finding, Inspection, Steps, Terms, in_words, shown

_PLAIN = "Names, passwords and files can be read on the way. Ask for encryption; the setting is abq_ftp_security."
_TOLD = ("MLST", "REST", "SIZE", "HASH", "XSHA256", "MFMT", "UTF8")


class _TimedSession(Session):
    """Knows how long its encryption took."""

    handshake = 0.0

    def _encrypt_control(self) -> None:
        start = time.monotonic()
        super()._encrypt_control()
        self.handshake = time.monotonic() - start


def ftp(terms: Terms) -> Steps[None]:
    """Check the server."""
    host, number = str(terms.settings["abq_ftp_host"]), int(str(terms.settings["abq_ftp_port"]))
    inspection = Inspection(f"FTP server {host}:{number}", terms)
    yield from names.usable(inspection, "abq_ftp_folder", "abq_upload_name")
    try:
        security = ftp_security(host, str(terms.settings["abq_ftp_security"]))
        ca_file = str(terms.settings["abq_ca_file"]) or None
        context = None if security == "none" else encryption.verified_context(ca_file)
    except InvalidInput as error:
        yield from inspection.fail("Settings", in_words(error))
    addresses = yield from route.name(inspection, host, number)
    yield from route.port(inspection, host, number, addresses)
    session = _TimedSession(terms.guard, security, context, bool(terms.settings["abq_ftp_passive"]))
    try:
        yield from _greeting(inspection, session, Login(host, number, "", "", security, context))
        login = yield from inspection.login("ftp")
        if login is None:
            return
        yield from inspection.step("Login", lambda: _log_in(session, *login))
        if folder := str(terms.settings["abq_ftp_folder"]):
            yield from inspection.step("Folder", lambda: _enter(session, folder, terms.wanted.write))
        if terms.wanted.write:
            yield from inspection.step("Write test", lambda: _store(session))
        session.say_goodbye()
    finally:
        session.close()


def _greeting(inspection: Inspection, session: _TimedSession, login: Login) -> Steps[None]:
    def connect() -> Finding[None]:
        start = time.monotonic()
        try:
            session.connect(login.host, login.port)
        except ssl.SSLCertVerificationError as error:
            refused = error
        else:
            welcome = shown((session.welcome or "").removeprefix("220").lstrip(" -"))
            return Finding(None, f"“{welcome}”", seconds=time.monotonic() - start - session.handshake)
        session.close()
        raise encryption.refusal(refused, login.host, lambda: certificate_of(inspection.guard, login))

    yield from inspection.step("Greeting", connect)
    context = login.context
    if isinstance(session.sock, ssl.SSLSocket) and context is not None:
        secure, how = session.sock, {"explicit": "AUTH TLS, ", "implicit": "from the start, "}[login.security]

        def secured() -> Finding[None]:
            found = route.secured(secure, context, session.handshake)
            return Finding(None, f"{how}{found.text}", found.advice, found.seconds)

        yield from inspection.step("TLS", secured)
    else:
        yield inspection.note("TLS", "not encrypted", "" if is_loopback(login.host) else _PLAIN)
    yield from inspection.step("Abilities", lambda: _abilities(session))


def _abilities(session: Session) -> Finding[None]:
    can = [each for each in _TOLD if each in session.features]
    return Finding(None, f"it tells of {', '.join(can)}" if can else "it tells of none (FEAT)")


def _log_in(session: Session, username: str, password: str) -> Finding[None]:
    session.login(username, password)
    session.protect_data()
    return Finding(None, f"{username} is logged in")


def _enter(session: Session, folder: str, may_make: bool) -> Finding[None]:
    try:
        made = ftp_folder.enter(session, folder, make=may_make)
    except ftp_folder.FolderRefused:
        if may_make:
            raise
        return Finding(None, f"{folder} can't be entered", names.MADE_LATER)
    return Finding(None, f"{folder} was made" if made else f"{folder} is there")


def _store(session: Session) -> Finding[None]:
    name = tiny_file.new_name()
    session.voidcmd("TYPE I")
    try:
        with contextlib.closing(session.transfercmd(f"STOR {name}")) as data:
            data.sendall(tiny_file.CONTENT)
            session.end_data(data)
            session.voidresp()
    except ftplib.Error:
        with contextlib.suppress(*ftplib.all_errors):  # what there is of it
            session.delete(name)
        raise
    try:
        session.delete(name)
    except (ftplib.error_perm, ftplib.error_temp):
        return Finding(None, f"{name} was stored", "It stays there: this user may not remove files, and needn't.")
    return Finding(None, f"{name} was stored and removed again")
