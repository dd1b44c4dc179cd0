"""The corporate FTP server: store a file in binary mode and confirm it; list and change its folder; the check.

`ftp_session` has the session and the storing of one file. The folder for the files is entered once after the login, and
created if it is missing. It is listed by MLSD if the server has it, else by LIST, else by NLST.
Sources: RFC 959 (CWD, CDUP, PWD, RETR, REST, LIST, NLST, DELE, RMD, MKD, RNFR), RFC 3659 (MLSD, REST STREAM),
RFC 2640 (UTF-8 names).
"""

from __future__ import annotations

import contextlib
import datetime
import ftplib
import os
import re
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from abq_data_entry.remote_names import folders_in

from . import encryption, probing
from . import remote_files_names as forms
from .destination import Destination
from .failures import GREETING, Cancelled, FileChanged, InvalidInput, UserFacingError, on_one_line, with_server_message
from .ftp_session import Session, Store, TransferIncomplete, actual_error, digest, reply_text
from .guard import Guard, is_loopback
from .probing import MADE_LATER, TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name, usable
from .remote_files import BrokenOff, Cancel, CannotResume, FilesRefused, RemoteFiles, Where, not_done
from .remote_files_names import FILE, MOST_ENTRIES, UNKNOWN, Listing, RemoteEntry, listing, name_problem, shown
from .uploads import TIMEOUT, KeptSession, Progress, SourceFile, StoredUploads, checked_folder, tidy

__all__ = ["TIMEOUT", "FtpUploads", "TransferIncomplete", "TransferStopped", "ftp_security", "upload_to_corporate_ftp"]


class FolderRefused(UserFacingError, ftplib.error_perm):
    """The folder doesn't exist and can't be created, or may not be entered; nothing was sent."""


def enter(session: Session, folder: str, *, make: bool = True) -> bool:
    """Change to the folder ('': stay); return whether it had to be created.

    Raises `FolderRefused` (also with `make` false, if it isn't there), and what a connection raises.
    """
    if not folder:
        return False
    if not folder.isascii():
        with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
            session.sendcmd("OPTS UTF8 ON")  # some servers need it for UTF-8 names (RFC 2640)
    try:
        session.voidcmd(f"CWD {folder}")
        return False
    except ftplib.error_perm as error:
        refused = str(error)
    words = reply_text(refused)
    if make:
        words = f"{words} {reply_text(_make_folders(session, folder))}".strip()
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
    raise FolderRefused(with_server_message(sentence, words))


def _make_folders(session: Session, folder: str) -> str:
    """Create the folder and its parents; return the reply that refused the last one, "" if it wasn't refused.

    A folder that exists already, even if it was created a moment ago, is refused, too.
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
    """Return how to connect to the host: `security`, or by default encrypted, except to a loopback address.

    Raises `InvalidInput` for anything but "none", "explicit", "implicit" and nothing.
    """
    if not security:
        return "none" if is_loopback(host) else "explicit"
    if security not in SECURITIES:
        raise InvalidInput(f"{security!r} isn't a way to connect: it must be one of {', '.join(SECURITIES)}.")
    return security


@dataclass(frozen=True, repr=False)
class Login:
    """The server, the login and the options. `context`: for TLS, None without; `passive`: passive or active mode.

    `folder`: where files go; '': the user's initial directory.
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
    """Return a logged-in session in the login's folder, which is created if it is missing."""
    return session_in(Session, guard, login, make=True)


def session_in(kind: type[Made], guard: Guard, login: Login, *, make: bool) -> Made:
    """Return a logged-in session of that class in the login's folder, which `make` creates if it is missing."""
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
    """Return the server's certificate (DER), unverified; nothing of the login is sent."""
    session = Session(guard, login.security, encryption.unverified_context())
    try:
        session.connect(login.host, login.port)
        return session.sock.getpeercert(True) if isinstance(session.sock, ssl.SSLSocket) else None
    finally:
        session.close()


# RFC 959: 421 closes the session, such as after an idle time; 426 closes the data connection; 451 aborts the transfer,
# which many servers reply after a broken connection.
_BROKEN = ("421", "426", "451")


class TransferStopped(UserFacingError, ftplib.Error):
    """The file changed while it was sent; what had arrived was removed, if the server allows that."""


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
    """STOR the file in binary mode, confirm its size there, and store it under its base name, replacing an older one.

    If the server can rename, the file is stored under a temporary name first, so that nobody reads half a file, and a
    failure leaves the old one as it was. The size is asked for by SIZE, else by MLST, else read from LIST. If the
    server has none of them, or reports another size, the transfer fails, whatever its last reply was. After a failure,
    the partial file is removed if the server allows that.

    `security`: "none", "explicit" (AUTH TLS, then PROT P) or "implicit" (TLS from the start); None: "none" for a
    loopback address, otherwise "explicit". Certificates and host names are verified; `ca_file`: a PEM file with the
    authorities to trust instead of the system's. `timeout`: seconds without progress; `progress(sent, total)`: bytes,
    at most 20 times a second and once at the end, on the calling thread. `passive`: passive or active mode. `folder`:
    where the file goes, created if it is missing and the server allows that ('': the user's initial directory); `name`:
    its name there. Raises errors of `ftplib.all_errors`, `InvalidInput`, `Cancelled`.
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


class _KeptFtp(KeptSession[Made]):
    """The session handling that `FtpUploads` and `FtpFiles` share."""

    def _continue(self, session: Made, guard: Guard) -> None:
        session.continue_under(guard)

    def _end(self, session: Made, politely: bool) -> None:
        if politely:
            session.send_quit()
        session.close()

    def _is_break(self, error: Exception) -> bool:
        if isinstance(error, ftplib.Error):
            return str(error)[:3] in _BROKEN
        return isinstance(error, ConnectionError | EOFError | ssl.SSLEOFError | ssl.SSLZeroReturnError)


class FtpUploads(_KeptFtp[Session], StoredUploads[Session]):
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
        """Doesn't connect yet. Raises `InvalidInput`."""
        super().__init__(timeout)
        _check_input(ftp_host, ftp_port, ftp_user, ftp_pass)
        folder = checked_folder(folder)
        security = ftp_security(ftp_host, security)
        context = None if security == "none" else encryption.verified_context(ca_file)
        self.place = Login(ftp_host, ftp_port, ftp_user, ftp_pass, security, context, passive, folder)

    def _log_in(self, guard: Guard) -> Session:
        return log_in(guard, self.place)

    def _new_store(self, source: SourceFile, identifier: str | None) -> Store:
        return Store(source, identifier)

    def _remove(self, session: Session, name: str) -> None:
        session.delete(name)

    def _in_words(self, error: Exception) -> Exception:
        return sanitized(error, self.place)

    def _is_refusal(self, error: Exception) -> bool:
        return getattr(self._in_words(error), "login_refused", False)


def _check_input(host: str, port: int, user: str, password: str) -> None:
    for what, text in (("host", host), ("user name", user), ("password", password)):
        if any(character in text for character in "\r\n\0"):
            raise InvalidInput(f"The FTP {what} holds a line break, which can't be sent.")
    if not host:
        raise InvalidInput("There is no FTP host. Check the setting abq_ftp_host.")
    if not 0 < port < 65536:
        raise InvalidInput(f"{port} is not a port: it must be from 1 to 65535. Check the setting abq_ftp_port.")


def sanitized(error: Exception, login: Login) -> Exception:
    """Return the error with a text for users, without its __context__ and without the password."""
    if isinstance(error, FileChanged):
        return TransferStopped(str(error))
    if isinstance(error, ftplib.Error) and not isinstance(error, UserFacingError):
        reply = str(error).replace(login.password, "…") if login.password else str(error)
        return actual_error(type(error)(reply), login.host, login.security)
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # not SSLCertVerificationError, which is both
        return ftplib.error_proto("The server's reply can't be understood.")  # noqa: S321
    if isinstance(error, ftplib.Error) and login.password:  # the text names the server's reply already
        return type(error)(str(error).replace(login.password, "…"))
    error.__context__ = None
    return error.with_traceback(None)


_BLOCK = 64 * 1024
_LONGEST = 4 * 1024 * 1024  # bytes of a listing
_SECONDS = 120.0  # for a listing
_MOST_LINES = MOST_ENTRIES + 100
_ASKED = 100  # names from NLST for which the size is requested
_UNKNOWN_COMMAND = ("500", "501", "502", "504")
_EMPTY = re.compile(r"(?i)\bno (matching )?(such )?files?\b|\bempty\b|nothing (to|found)|no files")
_NO_RIGHT = re.compile(r"(?i)permi(t|ssion)|denied|not allowed|privilege|forbidden|rights|access")


class FilesSession(Session):
    """A session in which names keep their bytes, even if they aren't valid UTF-8."""

    reply_errors = "surrogateescape"
    where: Where | None = ()
    """The current folder, relative to `root`; None: not known."""
    root: str | None = None
    """The path of the destination's folder, from PWD; None if the server doesn't report it."""

    def putline(self, line: str) -> None:
        if any(each in line for each in "\r\n\0"):
            raise ValueError("a command of more than one line")
        self._lines = 0
        assert self.sock is not None
        self.sock.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")

    def begin(self) -> None:
        """Ask for the folder's path, and for names in UTF-8."""
        if "UTF8" in self.features:
            with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
                self.sendcmd("OPTS UTF8 ON")
        self.root = self._present()
        self.where = ()

    def go(self, where: Where) -> None:
        """Change to a folder below the destination's, but not through a link out of it. Raises `FilesRefused`."""
        if where == self.where:
            return
        back = [f"CWD {self.root}"] if self.root is not None else ["CDUP"] * len(self.where or ())
        self.where = None
        for command in back:
            self.voidcmd(command)
        for part in where:
            try:
                self.voidcmd(f"CWD {part}")
            except ftplib.error_perm as error:
                raise _refusal(f"enter the folder {shown(part)}", error) from None
        present = self._present() if self.root is not None and where else None
        if present is not None and not f"{present}/".startswith(f"{(self.root or '').rstrip('/')}/"):
            raise FilesRefused(f"{shown(where[-1])} leads out of the folder of this destination, and wasn't entered.")
        self.where = where

    def lines(self, command: str) -> tuple[list[str], bool]:
        """Return the lines of a listing, and whether they are complete: a listing that is too long is truncated."""
        content, end, complete = bytearray(), time.monotonic() + _SECONDS, True
        with contextlib.closing(self.transfercmd(command)) as data:
            while block := data.recv(_BLOCK):
                self.guard.check()
                self.guard.progressed()
                content += block
                if len(content) > _LONGEST or time.monotonic() > end:
                    complete = False
                    break
            self.guard.check()
            if complete:
                self.end_data(data)  # close alone wouldn't end the connection: the guard has a duplicate of the socket
                self.voidresp()
        lines = bytes(content).replace(b"\r\n", b"\n").split(b"\n")
        if not complete:
            del lines[-1]  # it may be incomplete
        if len(lines) > _MOST_LINES:
            lines, complete = lines[:_MOST_LINES], False
        return [each.decode("utf-8", "surrogateescape") for each in lines if each], complete

    def _present(self) -> str | None:
        with contextlib.suppress(ftplib.error_perm, ftplib.error_reply):
            return ftplib.parse257(self.sendcmd("PWD")) or None  # noqa: S321
        return None


class FtpFiles(_KeptFtp[FilesSession], RemoteFiles[FilesSession]):
    """By FTP or FTPS, with the login and the options of deliveries."""

    errors = (ftplib.Error, OSError, EOFError, ValueError)

    def __init__(self, uploads: FtpUploads, timeout: float) -> None:
        """`uploads` has the login, and sends nothing. Doesn't connect yet."""
        super().__init__(timeout)
        self._to = uploads.place

    @property
    def place(self) -> str:
        return f"ftp://{self._to.host}:{self._to.port}/{self._to.folder}"

    def _log_in(self, guard: Guard) -> FilesSession:
        session = session_in(FilesSession, guard, self._to, make=False)
        session.begin()
        return session

    def _continue(self, session: FilesSession, guard: Guard) -> None:
        super()._continue(session, guard)
        if session.where is None and session.root is None:
            raise ConnectionAbortedError("the session is in an unknown folder")

    def _in_words(self, error: Exception, guard: Guard) -> Exception:
        return sanitized(error, self._to)

    def _list(self, session: FilesSession, guard: Guard, where: Where) -> Listing:
        session.go(where)
        session.voidcmd("TYPE A")
        if {"MLSD", "MLST"} & session.features:
            try:
                lines, complete = session.lines("MLSD")
            except ftplib.error_perm as error:
                if str(error)[:3] not in _UNKNOWN_COMMAND:
                    raise _refusal("list the folder", error) from None
            else:
                found = [*forms.of_facts(lines)]
                own = next((each.rights for each in found if each.name == "."), "")
                return self._listing(found, complete, own)
        return self._by_list(session)

    def _by_list(self, session: FilesSession) -> Listing:
        try:
            lines, complete = session.lines("LIST")
            found, strange = forms.of_lines(lines, datetime.date.today())
            if not strange or found:
                return self._listing(found, complete and not strange)
        except (ftplib.error_perm, ftplib.error_temp) as error:
            if str(error)[:3] == "421":
                raise
            if _EMPTY.search(reply_text(str(error))):
                return listing(())
            if str(error)[:3] not in _UNKNOWN_COMMAND:
                raise _refusal("list the folder", error) from None
        try:
            lines, complete = session.lines("NLST")
        except (ftplib.error_perm, ftplib.error_temp) as error:
            if _EMPTY.search(reply_text(str(error))):
                return listing(())
            raise _refusal("list the folder", error) from None
        return self._listing([*self._with_sizes(session, lines)], complete)

    def _listing(self, found: list[RemoteEntry], complete: bool, rights: str = "") -> Listing:
        if not complete:
            self._drop()  # the rest of the listing may still arrive on this session
        return listing(found, complete=complete, rights=rights)

    @staticmethod
    def _with_sizes(session: FilesSession, lines: list[str]) -> Iterator[RemoteEntry]:
        """Yield entries for names only (NLST): those with a size are files."""
        session.voidcmd("TYPE I")
        for number, each in enumerate(forms.of_names(lines)):
            session.guard.progressed()
            size = _size(session, each.name) if number < _ASKED and not name_problem(each.name) else None
            yield each._replace(kind=FILE if size is not None else UNKNOWN, size=size)

    def _fetch(
        self, session: FilesSession, guard: Guard, where: Where, entry: RemoteEntry, begin: int
    ) -> Iterator[bytes]:
        session.go(where)
        session.voidcmd("TYPE I")
        try:
            data = session.transfercmd(f"RETR {entry.name}", begin or None)
        except ftplib.error_perm as error:
            if begin and str(error)[:3] in _UNKNOWN_COMMAND:
                raise CannotResume from None
            raise _refusal(f"give {entry.shown}", error) from None
        whole = False
        try:
            with session.reply_as_error():
                while block := data.recv(_BLOCK):
                    yield block
            guard.check()
            session.end_data(data)
            whole = True
        finally:
            data.close()
            if not whole:
                session.close()
        try:
            session.voidresp()
        except (ftplib.error_temp, ftplib.error_perm) as error:
            if str(error)[:3] in ("421", "426", "451"):
                raise
            raise BrokenOff(str(_refusal(f"give all of {entry.shown}", error))) from None

    def _digest(self, session: FilesSession, where: Where, entry: RemoteEntry) -> str:
        session.go(where)
        return digest(session, entry.name)

    def _store(self, where: Where, source: SourceFile, cancel: Cancel) -> None:
        self._do(lambda session, guard: self._put(session, where, source, cancel), cancel)

    def _put(self, session: FilesSession, where: Where, source: SourceFile, cancel: Cancel) -> None:
        session.go(where)
        source.rewind()
        store = Store(source)
        try:
            store.run(session)
        except BaseException as error:
            if store.unfinished or store.is_midway:
                tidy(lambda other: self._clear(store, where, other), cancel)
            if isinstance(error, ftplib.error_perm) and not isinstance(error, UserFacingError):
                raise _refusal(f"take {source.name}", error) from None
            raise

    def _clear(self, store: Store, where: Where, guard: Guard) -> None:
        session = self._log_in(guard)
        try:
            session.go(where)
            store.tidy(session)
        finally:
            self._end(session, politely=True)

    def _rename(self, session: FilesSession, guard: Guard, where: Where, entry: RemoteEntry, name: str) -> None:
        session.go(where)
        try:
            session.rename(entry.name, name)
        except ftplib.error_perm as error:
            raise _refusal(f"rename {entry.shown}", error) from None

    def _remove(self, session: FilesSession, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        session.go(where)
        self._ask(session, f"DELE {entry.name}", f"delete {entry.shown}")

    def _make(self, session: FilesSession, guard: Guard, where: Where, name: str) -> None:
        session.go(where)
        self._ask(session, f"MKD {name}", f"make the folder {shown(name)}")

    def _remove_folder(self, session: FilesSession, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        session.go(where)
        self._ask(session, f"RMD {entry.name}", f"remove the folder {entry.shown}")

    @staticmethod
    def _ask(session: FilesSession, command: str, what: str) -> None:
        try:
            session.voidcmd(command)
        except ftplib.error_perm as error:
            raise _refusal(what, error) from None


def _size(session: FilesSession, name: str) -> int | None:
    try:
        return session.size(name)
    except (ftplib.error_perm, ftplib.error_temp, ftplib.error_reply):
        return None


def _refusal(what: str, error: ftplib.Error) -> FilesRefused:
    words = reply_text(str(error))
    why = "this user has no right to do that" if _NO_RIGHT.search(words) else ""
    return not_done(what, why, words)


_PLAIN = "Names, passwords and files can be read on the way. Ask for encryption; the setting is abq_ftp_security."
_TOLD = ("MLST", "REST", "SIZE", "HASH", "XSHA256", "MFMT", "UTF8")


class _TimedSession(Session):
    """A session that measures how long the TLS handshake takes."""

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
        session.send_quit()
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
            welcome = on_one_line((session.welcome or "").removeprefix("220").lstrip(" -"), GREETING)
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
        made = enter(session, folder, make=may_make)
    except FolderRefused:
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
