"""The folder of an FTP server in view: by MLSD where the server knows it, else by LIST, else by NLST.

Sources: RFC 959 (CWD, CDUP, PWD, RETR, REST, LIST, NLST, DELE, RMD, MKD, RNFR), RFC 3659 (MLSD, REST STREAM),
RFC 2640 (UTF-8 names).
"""

from __future__ import annotations

import contextlib
import datetime
import ftplib
import re
import time
from collections.abc import Iterator

from . import remote_files_listing as forms
from .failures import UserFacingError
from .file_transfer import FtpUploads, is_break, sanitized, session_in
from .ftp_session import Session, said
from .ftp_store import Store, digest
from .guard import Guard
from .remote_files import Cancel, CantGoOn, RemoteFiles, Where
from .remote_files_failures import BrokenOff, FilesRefused, refusal
from .remote_files_names import FILE, MOST_ENTRIES, UNKNOWN, Listing, RemoteEntry, listing, name_problem, shown
from .uploads import SourceFile, tidy

_BLOCK = 64 * 1024
_LONGEST = 4 * 1024 * 1024  # bytes of a listing
_SECONDS = 120.0  # for a listing
_MOST_LINES = MOST_ENTRIES + 100
_ASKED = 100  # names of NLST of which the size is asked
_UNKNOWN_COMMAND = ("500", "501", "502", "504")
_EMPTY = re.compile(r"(?i)\bno (matching )?(such )?files?\b|\bempty\b|nothing (to|found)|no files")
_NO_RIGHT = re.compile(r"(?i)permi(t|ssion)|denied|not allowed|privilege|forbidden|rights|access")


class FilesSession(Session):
    """A session in which names are bytes: what isn't UTF-8 in them comes and goes as it is."""

    reply_errors = "surrogateescape"
    where: Where | None = ()
    """The folder that it is in, below `root`; None: not known."""
    root: str | None = None
    """What the server calls the chosen folder; None where it doesn't tell."""

    def putline(self, line: str) -> None:
        if any(each in line for each in "\r\n\0"):
            raise ValueError("a command of more than one line")
        self._lines = 0
        assert self.sock is not None
        self.sock.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")

    def begin(self) -> None:
        """Learn what the folder is called, and ask for names in UTF-8."""
        if "UTF8" in self.features:
            with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
                self.sendcmd("OPTS UTF8 ON")
        self.root = self._present()
        self.where = ()

    def go(self, where: Where) -> None:
        """Go into a folder below the chosen one, and not where a link leads out of it. Raises `FilesRefused`."""
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
        """Return the lines of a listing, and whether they are all: it is cut where it doesn't end."""
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
                self.end_data(data)  # the guard has a twin of the socket: closing alone would tell the server nothing
                self.voidresp()
        lines = bytes(content).replace(b"\r\n", b"\n").split(b"\n")
        if not complete:
            del lines[-1]  # cut in the middle
        if len(lines) > _MOST_LINES:
            lines, complete = lines[:_MOST_LINES], False
        return [each.decode("utf-8", "surrogateescape") for each in lines if each], complete

    def _present(self) -> str | None:
        with contextlib.suppress(ftplib.error_perm, ftplib.error_reply):
            return ftplib.parse257(self.sendcmd("PWD")) or None  # noqa: S321
        return None


class FtpFiles(RemoteFiles[FilesSession]):
    """By FTP or FTPS, with the login and the options of deliveries."""

    errors = (ftplib.Error, OSError, EOFError, ValueError)

    def __init__(self, uploads: FtpUploads, timeout: float) -> None:
        """`uploads`: what has the login; nothing is sent by it. Connects to nothing yet."""
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
        session.continue_under(guard)
        if session.where is None and session.root is None:
            raise ConnectionAbortedError("the session is in an unknown folder")

    def _end(self, session: FilesSession, politely: bool) -> None:
        if politely:
            session.say_goodbye()
        session.close()

    def _in_words(self, error: Exception, guard: Guard) -> Exception:
        return sanitized(error, self._to)

    def _is_break(self, error: Exception) -> bool:
        return is_break(error)

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
                return self._told(found, complete, own)
        return self._by_list(session)

    def _by_list(self, session: FilesSession) -> Listing:
        try:
            lines, complete = session.lines("LIST")
            found, strange = forms.of_lines(lines, datetime.date.today())
            if not strange or found:
                return self._told(found, complete and not strange)
        except (ftplib.error_perm, ftplib.error_temp) as error:
            if str(error)[:3] == "421":
                raise
            if _EMPTY.search(said(str(error))):
                return listing(())
            if str(error)[:3] not in _UNKNOWN_COMMAND:
                raise _refusal("list the folder", error) from None
        try:
            lines, complete = session.lines("NLST")
        except (ftplib.error_perm, ftplib.error_temp) as error:
            if _EMPTY.search(said(str(error))):
                return listing(())
            raise _refusal("list the folder", error) from None
        return self._told([*self._with_sizes(session, lines)], complete)

    def _told(self, found: list[RemoteEntry], complete: bool, rights: str = "") -> Listing:
        if not complete:
            self._drop()  # what is still on its way belongs to nobody
        return listing(found, complete=complete, rights=rights)

    @staticmethod
    def _with_sizes(session: FilesSession, lines: list[str]) -> Iterator[RemoteEntry]:
        """Names alone don't say what is a file: what has a size is one."""
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
                raise CantGoOn from None
            raise _refusal(f"give {entry.shown}", error) from None
        whole = False
        try:
            with session.telling_why():
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
        self._do(lambda session, guard: self._put(session, where, source), cancel)

    def _put(self, session: FilesSession, where: Where, source: SourceFile) -> None:
        session.go(where)
        source.rewind()
        store = Store(source)
        try:
            store.run(session)
        except BaseException as error:
            if store.unfinished:
                tidy(lambda other: self._clear(store, where, other), None)
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
    words = said(str(error))
    why = "this user has no right to do that" if _NO_RIGHT.search(words) else ""
    return refusal(what, why, words)
