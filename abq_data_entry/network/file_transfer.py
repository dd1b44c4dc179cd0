"""The corporate FTP server: store a file under its base name, in binary mode, and make sure it is all there.

How a session is made and encrypted stands in `ftp_session`, how a file is stored in `ftp_store`.
"""

import ftplib
import os
import threading

from . import encryption
from .failures import Cancelled, FileChanged, InvalidInput, Told
from .ftp_session import Login, ftp_security, logged_in
from .ftp_store import Store, TransferIncomplete
from .guard import Guard
from .source import Progress, SourceFile
from .tidying import tidy

__all__ = ["TIMEOUT", "TransferIncomplete", "TransferStopped", "ftp_security", "upload_to_corporate_ftp"]

TIMEOUT = 60.0  # seconds without any progress


class TransferStopped(Told, ftplib.Error):
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
    times a second and once at the end, on the calling thread. Passive mode.
    Raises errors of `ftplib.all_errors`, `InvalidInput` for what can't be used, `Cancelled`.
    """
    _check_input(ftp_host, ftp_port, ftp_user, ftp_pass)
    security = ftp_security(ftp_host, security)
    context = None if security == "none" else encryption.verified_context(ca_file)
    login = Login(ftp_host, ftp_port, ftp_user, ftp_pass, security, context)
    with SourceFile(filepath, progress) as source:
        store = Store(source)
        with Guard(cancel, timeout) as guard:
            try:
                with logged_in(guard, login) as session:
                    store.run(session)
                return
            except (ftplib.Error, OSError, EOFError, ValueError, Cancelled) as error:
                failure: BaseException = guard.verdict() or _made_anew(error, ftp_pass)
            except BaseException as error:  # of the progress callback, or Ctrl-C
                failure = error
        if store.unfinished:
            tidy(lambda guard: _clear(store, login, guard), cancel)
    raise failure


def _check_input(host: str, port: int, user: str, password: str) -> None:
    for what, text in (("host", host), ("user name", user), ("password", password)):
        if any(character in text for character in "\r\n\0"):
            raise InvalidInput(f"The FTP {what} holds a line break, which can't be sent.")
    if not host:
        raise InvalidInput("There is no FTP host. Check the setting abq_ftp_host.")
    if not 0 < port < 65536:
        raise InvalidInput(f"{port} is not a port: it must be from 1 to 65535. Check the setting abq_ftp_port.")


def _made_anew(error: Exception, password: str) -> Exception:
    """Return the error without its origin; a reply that repeats the password is passed on without it."""
    if isinstance(error, FileChanged):
        return TransferStopped(str(error))
    if isinstance(error, ftplib.Error) and not isinstance(error, Told):
        reply = str(error)
        return type(error)(reply.replace(password, "…") if password else reply)
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # certificate errors are both
        return ftplib.error_proto("The server's reply can't be understood.")  # noqa: S321
    error.__context__ = None
    return error.with_traceback(None)


def _clear(store: Store, login: Login, guard: Guard) -> None:
    with logged_in(guard, login) as session:
        store.tidy(session)
