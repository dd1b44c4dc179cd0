"""The corporate SFTP server: a verified host, a key or a password, and a temporary name until the file is whole.

Source: RFC 4251 to 4254 (SSH). How a file is stored stands in `sftp_store`.
"""

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko

from . import known_hosts as host_keys
from .failures import Cancelled, InvalidInput, Told
from .guard import Guard
from .known_hosts import HostKey
from .sftp_store import SftpStore
from .source import Progress, SourceFile
from .tidying import tidy

TIMEOUT = 60.0  # seconds without any progress
_NEVER = 24 * 3600.0  # seconds: the guard alone ends a wait
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")  # the fastest first
_RSA = ("rsa-sha2-512", "rsa-sha2-256")  # how a key of the kind ssh-rsa signs nowadays

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # its tracebacks of failures that are told in words anyway

AcceptHostKey = Callable[[str], bool]


class HostKeyUnknown(Told, paramiko.SSHException):
    """The host was never seen before; `fingerprint` is what its administrator has to confirm. Nothing was sent."""

    def __init__(self, message: str, fingerprint: str) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint


class HostKeyChanged(Told, paramiko.SSHException):
    """The host isn't the one that we know by this name, or its key was revoked. Nothing was sent."""


class LoginRefused(Told, paramiko.AuthenticationException):
    """The user name, the password or the key isn't right."""


class NotSecureShell(Told, paramiko.SSHException):
    """What answers doesn't speak SSH, or nothing that we have in common, or has no SFTP."""


class ShellConnectionCut(Told, ConnectionError):
    """The connection broke."""


class FileRefused(Told, OSError):
    """The server doesn't take the file."""


@dataclass(frozen=True, repr=False)
class _Login:
    host: str
    port: int
    user: str
    password: str
    key: paramiko.PKey | None
    known_hosts: Path


def upload_to_corporate_sftp(
    filepath: str | os.PathLike[str],
    host: str,
    port: int,
    username: str,
    password: str,
    known_hosts: str | os.PathLike[str] | None = None,
    key_file: str | os.PathLike[str] | None = None,
    *,
    timeout: float = TIMEOUT,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    accept_host_key: AcceptHostKey | None = None,
) -> None:
    """Store the file under its base name, in place of an older one; its size there is compared first.

    `known_hosts`: the file of host keys, not given: the user's own of OpenSSH. `key_file`: a private key in place of
    the password, which is its passphrase then. `accept_host_key(fingerprint)` is asked for the key of a host that was
    never seen, must answer at once, and what it accepts is written to `known_hosts`.
    `timeout`: seconds without progress; `progress(sent, total)`: bytes, at most 20 times a second and once at the end,
    on the calling thread.
    Raises `HostKeyUnknown` (with the fingerprint), `HostKeyChanged`, `LoginRefused` and other `paramiko.SSHException`,
    `OSError` for connections and files, `TransferIncomplete`, `InvalidInput`, `Cancelled`.
    """
    _check_input(host, port, username)
    file = Path(known_hosts) if known_hosts else host_keys.default_file()
    login = _Login(host, port, username, password, _key(key_file, password) if key_file else None, file)
    with SourceFile(filepath, progress) as source:
        store = SftpStore(source)
        with Guard(cancel, timeout) as guard:
            try:
                with _session(guard, login, accept_host_key) as session:
                    store.run(session, guard)
                return
            except (paramiko.SSHException, OSError, EOFError, ValueError, Cancelled) as error:
                failure: BaseException = guard.verdict() or _made_anew(error, host)
            except BaseException as error:  # of the progress callback, or Ctrl-C
                failure = error
        if store.unfinished:
            tidy(lambda guard: _clear(store, login, guard), cancel)
    raise failure


def _check_input(host: str, port: int, username: str) -> None:
    if not host or any(character.isspace() or character == "\0" for character in host):
        raise InvalidInput("There is no SFTP host that can be used. Check the setting abq_ftp_host.")
    if not username:
        raise InvalidInput("There is no user name for the SFTP server.")
    if not 0 < port < 65536:
        raise InvalidInput(f"{port} is not a port: it must be from 1 to 65535. Check the setting abq_sftp_port.")


def _key(file: str | os.PathLike[str], passphrase: str) -> paramiko.PKey:
    path = Path(file)
    for attempt in (None, passphrase):
        try:
            with path.open("rb"):  # a missing file is told as that
                pass
            return paramiko.PKey.from_path(path, attempt.encode() if attempt else None)
        except (paramiko.SSHException, paramiko.UnknownKeyType, ValueError, TypeError):
            continue
    raise InvalidInput(f"The key {path} can't be used: it isn't a private key, or the password isn't its passphrase.")


@contextlib.contextmanager
def _session(guard: Guard, login: _Login, accept: AcceptHostKey | None) -> Iterator[paramiko.SFTPClient]:
    """A verified and logged-in session; ends with everything that belongs to it."""
    known, revoked = host_keys.keys_of(login.known_hosts, login.host, login.port)
    transport = paramiko.Transport(guard.connect(login.host, login.port))
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = _NEVER
    try:
        options = transport.get_security_options()
        options.ciphers = tuple(sorted(options.ciphers, key=lambda name: name not in _CIPHERS))
        kinds = [kind for key in known for kind in (_RSA if key.kind == "ssh-rsa" else (key.kind,))]
        options.key_types = tuple(sorted(options.key_types, key=lambda name: name not in kinds))
        try:
            transport.start_client()
        except (paramiko.SSHException, EOFError, OSError) as error:
            guard.check()
            raise NotSecureShell(_greeting_in_words(transport, error, login)) from None
        guard.progressed()
        server = transport.get_remote_server_key()
        _check_host_key(HostKey(server.get_name(), server.asbytes()), known, revoked, login, accept)
        if login.key is not None:
            transport.auth_publickey(login.user, login.key)
        else:
            transport.auth_password(login.user, login.password)
        guard.progressed()
        session = paramiko.SFTPClient.from_transport(transport)
        if session is None:
            raise NotSecureShell(f"{login.host} lets nobody store files by SFTP. Ask its administrator.")
        guard.progressed()
        yield session
    finally:
        transport.close()


def _greeting_in_words(transport: paramiko.Transport, error: Exception, login: _Login) -> str:
    place = f"{login.host}, port {login.port}"
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return f"{place} offers no encryption that is safe enough today. Ask its administrator to update it."
    if transport.remote_version:
        return f"The server at {place} ended the connection while the encryption was agreed. Try again later."
    return f"What answers at {place} doesn't speak SSH. Check the address and the setting abq_sftp_port."


def _check_host_key(
    key: HostKey, known: list[HostKey], revoked: list[HostKey], login: _Login, accept: AcceptHostKey | None
) -> None:
    if key in revoked:
        raise HostKeyChanged(
            f"The key of {login.host} ({key.fingerprint}) was revoked, so nothing was sent. Ask your administrator."
        )
    if key in known:
        return
    if known:
        raise HostKeyChanged(
            f"The key of {login.host} has changed: it is {key.fingerprint}, and should be {known[0].fingerprint}. "
            "Somebody may be pretending to be the server, so nothing was sent. Ask your administrator; if the new key "
            f"is right, the old line has to be removed from {login.known_hosts}."
        )
    if accept is None or not accept(key.fingerprint):
        raise HostKeyUnknown(
            f"{login.host} isn't known yet, so nothing was sent. Its key has the fingerprint {key.fingerprint}. "
            f"If its administrator confirms that, set abq_sftp_host_key to it, or add the key to {login.known_hosts}.",
            key.fingerprint,
        )
    host_keys.add(login.known_hosts, login.host, login.port, key)


def _clear(store: SftpStore, login: _Login, guard: Guard) -> None:
    with _session(guard, login, None) as session:
        store.tidy(session)


def _made_anew(error: Exception, host: str) -> Exception:
    """Return the error in words and without its origin."""
    if isinstance(error, Told) or getattr(error, "filename", None):  # the latter: a file of this machine
        error.__context__ = None
        return error.with_traceback(None)
    if isinstance(error, paramiko.AuthenticationException):
        return LoginRefused(f"The SFTP server {host} refused the user name, or the password or key.")
    reason = "it may have no space left"
    if isinstance(error, PermissionError):
        reason = "the right to write to its folder is missing"
    elif isinstance(error, FileNotFoundError):
        reason = "the folder is missing there"
    elif isinstance(error, paramiko.SSHException | ConnectionError | EOFError) or "closed" in str(error).lower():
        return ShellConnectionCut("The connection was cut. Try again.")
    return FileRefused(getattr(error, "errno", None) or errno.EIO, f"The SFTP server refused the file: {reason}.")
