"""The corporate FTP server: store a file under its base name, in binary mode, and make sure it is all there.

How a session is made and encrypted stands in `ftp_session`, how a file is stored in `ftp_store`. The folder for the
files is entered once after the login, and made where it is missing (RFC 959, CWD and MKD).
"""

from __future__ import annotations

import contextlib
import ftplib
import os
import ssl
import threading
from dataclasses import dataclass
from typing import TypeVar

from abq_data_entry.remote_names import folders_in

from . import encryption
from .failures import Cancelled, FileChanged, InvalidInput, UserFacingError, with_what_was_said
from .ftp_session import Session, read_anew, said
from .ftp_store import Store, TransferIncomplete
from .guard import Guard, is_loopback
from .stored_uploads import StoredUploads, checked_folder
from .uploads import TIMEOUT, Progress, SourceFile


class FolderRefused(UserFacingError, ftplib.error_perm):
    """The folder isn't there and can't be made, or may not be entered; nothing was sent."""


def enter(session: Session, folder: str, *, make: bool = True) -> bool:
    """Go into the folder; return whether it had to be made. An empty one is where the session is already.

    Raises `FolderRefused` (also with `make` false, if it isn't there), and what a connection raises.
    """
    if not folder:
        return False
    if not folder.isascii():
        with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
            session.sendcmd("OPTS UTF8 ON")  # some servers want to be asked (RFC 2640)
    try:
        session.voidcmd(f"CWD {folder}")
        return False
    except ftplib.error_perm as error:
        refused = str(error)
    words = said(refused)
    if make:
        words = f"{words} {said(_made(session, folder))}".strip()
        try:
            session.voidcmd(f"CWD {folder}")
            return True
        except ftplib.error_perm as error:
            refused = str(error)
    how = ", and it couldn't be made" if make else ""
    sentence = (
        f"The FTP server has no folder {folder} that this user may enter{how} ({refused[:3]}). Nothing was sent. "
        "Check the setting abq_ftp_folder, or ask the server's administrator."
    )
    raise FolderRefused(with_what_was_said(sentence, words))


def _made(session: Session, folder: str) -> str:
    """Make the folder and those that it lies in; return why the last one was refused, "" if it wasn't.

    One that is there already is refused too, also one that somebody else makes at this very moment.
    """
    refused = ""
    for each in folders_in(folder):
        session.guard.progressed()
        try:
            session.voidcmd(f"MKD {each}")
            refused = ""
        except ftplib.error_perm as error:
            refused = str(error)
    return refused


SECURITIES = ("none", "explicit", "implicit")


def ftp_security(host: str, security: str | None) -> str:
    """Return how to connect to the host: as asked for, else encrypted unless it is this machine itself.

    Raises `InvalidInput` for anything but "none", "explicit", "implicit" and nothing.
    """
    if not security:
        return "none" if is_loopback(host) else "explicit"
    if security not in SECURITIES:
        raise InvalidInput(f"{security!r} isn't a way to connect: it must be one of {', '.join(SECURITIES)}.")
    return security


@dataclass(frozen=True, repr=False)
class Login:
    """Where to connect, how, and as whom. `context`: for TLS, None without; `passive`: who connects for the data.

    `folder`: where files go, empty for the one that the server puts the user into.
    """

    host: str
    port: int
    user: str
    password: str
    security: str
    context: ssl.SSLContext | None
    passive: bool = True
    folder: str = ""


Made = TypeVar("Made", bound=Session)


def log_in(guard: Guard, login: Login) -> Session:
    """Return a logged-in session in the login's folder, which is made where it is missing."""
    return session_in(Session, guard, login, make=True)


def session_in(kind: type[Made], guard: Guard, login: Login, *, make: bool) -> Made:
    """Return a logged-in session of that class in the login's folder; with `make` that is made where it is missing."""
    session = kind(guard, login.security, login.context, login.passive)
    try:
        try:
            session.connect(login.host, login.port)
        except ssl.SSLCertVerificationError as error:
            session.close()
            refusal = encryption.refusal(error, login.host, lambda: certificate_of(guard, login))
            raise refusal from None
        guard.progressed()
        session.login(login.user, login.password)
        session.protect_data()
        enter(session, login.folder, make=make)
        guard.progressed()
    except BaseException:
        session.close()
        raise
    return session


def certificate_of(guard: Guard, login: Login) -> bytes | None:
    """Return the certificate (DER) that the server shows, whatever it is worth; nothing of the login is sent."""
    session = Session(guard, login.security, encryption.unverified_context())
    try:
        session.connect(login.host, login.port)
        return session.sock.getpeercert(True) if isinstance(session.sock, ssl.SSLSocket) else None
    finally:
        session.close()


__all__ = ["TIMEOUT", "FtpUploads", "TransferIncomplete", "TransferStopped", "ftp_security", "upload_to_corporate_ftp"]

# The session ends, after a while without a command, say; the data's connection; the server gave the file up, as many
# do after a cut (RFC 959).
_BROKEN = ("421", "426", "451")


class TransferStopped(UserFacingError, ftplib.Error):
    """The file changed while it was sent; what arrived was removed where the server permits."""


def upload_to_corporate_ftp(
    filepath: str | os.PathLike[str],
    ftp_host: str,
    ftp_port: int,
    ftp_user: str,
    ftp_pass: str,
    *,
    security: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    passive: bool = True,
    folder: str = "",
    name: str | None = None,
    timeout: float = TIMEOUT,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """STOR the file in binary mode, compare its size there, and give it its base name, in place of an older one.

    Where the server renames files, it is stored under a temporary name first, so that nobody reads half a file and a
    failure leaves the old one as it was. The size is asked by SIZE, else MLST, else read from LIST; a server that
    knows none of them, or says another size than the file's, makes the transfer fail whatever its last reply said.
    After a failure the partial file is removed where the server permits that.

    `security`: "none", "explicit" (AUTH TLS, then PROT P), "implicit" (TLS from the start); not given: none for this
    machine itself, explicit else. Certificates and host names are verified; `ca_file`: a PEM file with the authorities
    to trust instead of the system's. `timeout`: seconds without progress; `progress(sent, total)`: bytes, at most 20
    times a second and once at the end, on the calling thread. `passive`: we connect to the server for the data; else
    it connects to us (active mode). `folder`: where it goes, made where it is missing and the server
    allows that (empty: where the login leads); `name`: what it is called there.
    Raises errors of `ftplib.all_errors`, `InvalidInput` for what can't be used, `Cancelled`.
    """
    with FtpUploads(
        ftp_host,
        ftp_port,
        ftp_user,
        ftp_pass,
        security=security,
        ca_file=ca_file,
        passive=passive,
        folder=folder,
        timeout=timeout,
    ) as uploads:
        uploads.upload(filepath, name=name, progress=progress, cancel=cancel)


class FtpUploads(StoredUploads[Session]):
    """One login for many files; each is sent as `upload_to_corporate_ftp` does it, whose parameters these are."""

    errors = (ftplib.Error, OSError, EOFError, ValueError, Cancelled)

    def __init__(
        self,
        ftp_host: str,
        ftp_port: int,
        ftp_user: str,
        ftp_pass: str,
        *,
        security: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        passive: bool = True,
        folder: str = "",
        timeout: float = TIMEOUT,
    ) -> None:
        """Connects to nothing yet. Raises `InvalidInput`."""
        super().__init__(timeout)
        _check_input(ftp_host, ftp_port, ftp_user, ftp_pass)
        folder = checked_folder(folder)
        security = ftp_security(ftp_host, security)
        context = None if security == "none" else encryption.verified_context(ca_file)
        self.place = Login(ftp_host, ftp_port, ftp_user, ftp_pass, security, context, passive, folder)

    def _log_in(self, guard: Guard) -> Session:
        return log_in(guard, self.place)

    def _continue(self, session: Session, guard: Guard) -> None:
        session.continue_under(guard)

    def _end(self, session: Session, politely: bool) -> None:
        if politely:
            session.say_goodbye()
        session.close()

    def _new_store(self, source: SourceFile, identifier: str | None) -> Store:
        return Store(source, identifier)

    def _remove(self, session: Session, name: str) -> None:
        session.delete(name)

    def _in_words(self, error: Exception) -> Exception:
        return sanitized(error, self.place)

    def _is_refusal(self, error: Exception) -> bool:
        return getattr(self._in_words(error), "login_refused", False)

    def _is_break(self, error: Exception) -> bool:
        return is_break(error)


def is_break(error: Exception) -> bool:
    """Tell whether a connection has died, or the server has said that it ends it."""
    if isinstance(error, ftplib.Error):
        return str(error)[:3] in _BROKEN
    return isinstance(error, ConnectionError | EOFError | ssl.SSLEOFError | ssl.SSLZeroReturnError)


def _check_input(host: str, port: int, user: str, password: str) -> None:
    for what, text in (("host", host), ("user name", user), ("password", password)):
        if any(character in text for character in "\r\n\0"):
            raise InvalidInput(f"The FTP {what} holds a line break, which can't be sent.")
    if not host:
        raise InvalidInput("There is no FTP host. Check the setting abq_ftp_host.")
    if not 0 < port < 65536:
        raise InvalidInput(f"{port} is not a port: it must be from 1 to 65535. Check the setting abq_ftp_port.")


def sanitized(error: Exception, login: Login) -> Exception:
    """Return the error in words, without its origin; a reply that repeats the password is passed on without it."""
    if isinstance(error, FileChanged):
        return TransferStopped(str(error))
    if isinstance(error, ftplib.Error) and not isinstance(error, UserFacingError):
        reply = str(error).replace(login.password, "…") if login.password else str(error)
        return read_anew(type(error)(reply), login.host, login.security)
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # certificate errors are both
        return ftplib.error_proto("The server's reply can't be understood.")  # noqa: S321
    if isinstance(error, ftplib.Error) and login.password:  # what the server said stands in our words
        return type(error)(str(error).replace(login.password, "…"))
    error.__context__ = None
    return error.with_traceback(None)
