"""SSH sessions over connections that a guard opens: host key verification, login by key, agent or password; the folder.

An agent may have no keys, refuse to sign, or wait for a confirmation. A server's status for a refused file is only
"failure", but it can be asked about its file system. Sources: RFC 4251 to 4254 (SSH), sshd(8)
(SSH_KNOWN_HOSTS FILE FORMAT), draft-ietf-sshm-ssh-agent, draft-ietf-secsh-filexfer-02 (SFTP version 3, section 7),
OpenSSH's PROTOCOL (statvfs@openssh.com).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import fnmatch
import hashlib
import hmac
import logging
import os
import re
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import paramiko
from paramiko.sftp import CMD_EXTENDED, CMD_EXTENDED_REPLY

from abq_data_entry.remote_names import folders_in

from .destination import Jump
from .failures import UserFacingError, with_server_message
from .guard import Guard, call_abandonable

_READ_ONLY = 1  # SSH_FXE_STATVFS_ST_RDONLY
_NO_SPACE, _TOO_LONG, _READ_ONLY_SYSTEM = errno.ENOSPC, errno.ENAMETOOLONG, errno.EROFS


class FileRefused(UserFacingError, OSError):
    """The server refuses the file; `errno` says why, if that is known."""


class FileSystem(NamedTuple):
    """The file system that the session is in: bytes that we may write, whether it is read-only, the longest name."""

    free: int
    read_only: bool
    longest_name: int


def file_system(files: paramiko.SFTPClient) -> FileSystem | None:
    """Ask about the file system; `None` if the server doesn't say. Raises errors of a broken connection."""
    try:
        kind, answer = files._request(CMD_EXTENDED, "statvfs@openssh.com", files.getcwd() or ".")
    except OSError as error:
        if isinstance(error, ConnectionError) or is_closed(error):
            raise
        return None
    if kind != CMD_EXTENDED_REPLY:
        return None
    _, block, _, _, available, _, _, _, _, flags, longest = (answer.get_int64() for _ in range(11))
    return FileSystem(block * available, bool(flags & _READ_ONLY), longest)


def is_closed(error: OSError) -> bool:
    """Tell whether the library means a connection that has gone: it has no error of its own for that."""
    return "closed" in str(error).lower()


def refusal(files: paramiko.SFTPClient, error: OSError, name: str, wanted: int) -> FileRefused | None:
    """Return why a file of that name, of which `wanted` bytes were to be written, was refused; `None` if unknown."""
    number, said = error.errno, str(error)
    system = None if number in (errno.EACCES, errno.ENOENT) else file_system(files)
    if number is None and system is not None:
        if len(os.fsencode(name)) > system.longest_name:
            number = _TOO_LONG
        elif system.read_only:
            number = _READ_ONLY_SYSTEM
        elif system.free < wanted:
            number = _NO_SPACE
    sentence = {
        _NO_SPACE: "The SFTP server has no space left. Tell its administrator.",
        _TOO_LONG: f"The SFTP server refused the file: its name is too long there ({len(name)} characters).",
        _READ_ONLY_SYSTEM: (
            "The SFTP server refused the file: its file system can only be read. Tell its administrator."
        ),
        errno.EACCES: "The SFTP server refused the file: the right to write to its folder is missing.",
        errno.ENOENT: "The SFTP server refused the file: the folder is missing there.",
    }.get(number or 0)
    if sentence is None:
        return None
    return FileRefused(number, sentence if error.errno else with_server_message(sentence, said))


class FolderRefused(UserFacingError, OSError):
    """The folder isn't there and can't be made, or may not be entered; nothing was sent."""


def enter_folder(files: paramiko.SFTPClient, folder: str, *, make: bool = True) -> bool:
    """Go into the folder; return whether it had to be made. An empty one is where the session is already.

    Raises `FolderRefused` (also with `make` false, if it isn't there), and what a connection raises.
    """
    if not folder:
        return False
    refused = _enter(files, folder)
    if refused is None:
        return False
    if make and refused.errno == errno.ENOENT:
        why = _make_folders(files, folder)
        refused = _enter(files, folder)
        if refused is None:
            return True
        refused = why or refused
    how = ", and it couldn't be made" if make else ""
    sentence = (
        f"The SFTP server has no folder {folder} that this user may enter{how}. Nothing was sent. "
        "Check the setting abq_ftp_folder, or ask the server's administrator."
    )
    raise FolderRefused(refused.errno or errno.EIO, with_server_message(sentence, refused.strerror or str(refused)))


def _enter(files: paramiko.SFTPClient, folder: str) -> OSError | None:
    """Enter the folder; return the error if that was refused, else `None`."""
    try:
        files.chdir(folder)
    except OSError as error:
        return _refusal(error)
    return None


def _make_folders(files: paramiko.SFTPClient, folder: str) -> OSError | None:
    """Create the folder and its parents; return the error if the last one was refused, else `None`.

    A folder that somebody else creates at the same moment counts as created.
    """
    refused: OSError | None = None
    for each in folders_in(folder):
        if _is_folder(files, each):
            continue
        try:
            files.mkdir(each)
            refused = None
        except OSError as error:
            refused = _refusal(error)
    return refused


def _is_folder(files: paramiko.SFTPClient, folder: str) -> bool:
    try:
        return stat.S_ISDIR(files.stat(folder).st_mode or 0)
    except OSError as error:
        _refusal(error)
        return False


def _refusal(error: OSError) -> OSError:
    """Return the error if it is the server's answer; raise it if it is one of the connection."""
    if isinstance(error, UserFacingError | ConnectionError | TimeoutError) or is_closed(error):
        raise error
    return error


_WHOM = "The ssh-agent, which may wait for somebody to confirm it,"


class AgentKey(paramiko.AgentKey):
    """A key that the agent signs with. `refused`: whether the agent said that it doesn't."""

    def __init__(self, key: paramiko.AgentKey, guard: Guard) -> None:
        super().__init__(key.agent, key.blob, key.comment)
        self.refused = False
        self._guard = guard

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:
        """Return the signature; if the agent makes none, one that the server refuses, so that other keys follow."""
        try:
            with self._guard.waiting_for(_WHOM):
                return bytes(super().sign_ssh_data(data, algorithm))
        except (paramiko.SSHException, OSError):  # unchanged, it would end the connection
            self.refused = True
            nothing = paramiko.Message()
            nothing.add_string(algorithm or self.get_name())
            nothing.add_string(b"")
            return bytes(nothing.asbytes())


@contextlib.contextmanager
def agent_keys(guard: Guard) -> Iterator[list[AgentKey]]:
    """Yield the keys of the agent, for a block. Raises what the guard raises."""
    with guard.waiting_for(_WHOM):
        agent = call_abandonable(_agent, guard.check)
    if agent is None:
        yield []
        return
    try:
        keys = agent.get_keys()
        # On Windows the agent doesn't listen at a socket: there a waiting thread is abandoned.
        for connection in {key.agent._conn for key in keys}:
            _watch_socket(guard, connection)
        yield [AgentKey(key, guard) for key in keys]
    finally:
        agent.close()


def _agent() -> paramiko.Agent | None:
    try:
        return paramiko.Agent()
    except (paramiko.SSHException, OSError, struct.error):  # there is none, or it refuses
        return None


def _watch_socket(guard: Guard, connection: Any) -> None:
    if isinstance(connection, socket.socket):
        guard.watch(connection)


DEFAULT_PORT = 22


@dataclass(frozen=True)
class HostKey:
    """A public key in the form that goes over the wire; `kind`: such as `ssh-ed25519`."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh` and `ssh-keygen -l` show it: `SHA256:…`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


def default_file() -> Path:
    return Path.home() / ".ssh" / "known_hosts"


def keys_of(file: Path, host: str, port: int) -> tuple[list[HostKey], list[HostKey]]:
    """Return the host's keys, and its revoked ones. A missing file counts as empty; other failures raise `OSError`."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return [], []
    known, revoked = [], []
    for marker, names, key in _entries(lines):
        if marker == "@revoked":
            revoked.append(key)
        elif not marker and _matches(names, name_of(host, port)):
            known.append(key)
    return known, revoked


def add(file: Path, host: str, port: int, key: HostKey) -> None:
    """Add a key that somebody accepted to the file. Raises `OSError`."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = file.read_bytes() if file.exists() else b""
    line = f"{name_of(host, port)} {key.kind} {base64.b64encode(key.blob).decode()}\n"
    with file.open("ab") as lines:
        lines.write((b"" if before.endswith(b"\n") or not before else b"\n") + line.encode())


def name_of(host: str, port: int) -> str:
    """Return how the file names a host: with its port in brackets, unless that is the usual one."""
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def _entries(lines: list[str]) -> Iterator[tuple[str, str, HostKey]]:
    for line in lines:
        parts = line.split()
        marker = parts.pop(0) if parts and parts[0].startswith("@") else ""
        if len(parts) < 3 or parts[0].startswith("#"):
            continue
        try:
            yield marker, parts[0], HostKey(parts[1], base64.b64decode(parts[2], validate=True))
        except binascii.Error:
            continue


def _matches(names: str, host: str) -> bool:
    """Return whether the names of a line match the host: hashed, or patterns, where one with `!` excludes."""
    if names.startswith("|1|"):
        return _is_hash_of(names, host)
    patterns = [name.replace("[", "[[]") if name.lstrip("!").startswith("[") else name for name in names.split(",")]
    fits = [pattern for pattern in patterns if fnmatch.fnmatchcase(host, pattern.lower().lstrip("!"))]
    return bool(fits) and not any(pattern.startswith("!") for pattern in fits)


def _is_hash_of(text: str, host: str) -> bool:
    try:
        salt, expected = (base64.b64decode(part) for part in text.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, host.encode(), hashlib.sha1).digest(), expected)


_GREETING = b"SSH-"  # RFC 4253, 4.2
_NEVER = 24 * 3600.0  # seconds: the guard alone ends a wait
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")  # the fastest first
_MOST_KEYS = 5  # of an agent: sshd ends a connection after six attempts
_PROHIBITED = 1  # RFC 4254, 5.1
_RSA = ("rsa-sha2-512", "rsa-sha2-256")  # how a key of the kind ssh-rsa signs nowadays

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # its tracebacks of failures that get a message anyway

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")

AcceptHostKey = Callable[[str], bool]


class HostKeyUnknown(UserFacingError, paramiko.SSHException):
    """The host key is unknown; its administrator has to confirm the `fingerprint`. Nothing was sent."""

    def __init__(self, message: str, fingerprint: str) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint


class HostKeyChanged(UserFacingError, paramiko.SSHException):
    """The host key isn't the known one, or was revoked. Nothing was sent."""


class LoginRefused(UserFacingError, paramiko.AuthenticationException):
    """The user name, the password or the key isn't right."""

    login_refused = True


class JumpRefused(UserFacingError, paramiko.SSHException):
    """The jump host can't be trusted, or doesn't forward."""


class NotSecureShell(UserFacingError, paramiko.SSHException):
    """The server doesn't speak SSH, or has no algorithms in common with us, or no SFTP."""


class ShellConnectionCut(UserFacingError, ConnectionError):
    """The connection broke."""

    transient = True


@dataclass(frozen=True, repr=False)
class Login:
    """Where to connect, as whom, and whom to trust; `host_key`: the fingerprint that the host's key must have.

    `folder`: where files go, empty for the one that the login leads to.
    """

    host: str
    port: int
    user: str
    password: str
    key: paramiko.PKey | None
    known_hosts: Path
    host_key: str = ""
    folder: str = ""
    jump: Jump | None = None
    """The host to connect through: its key must be known, and the login there is by key or agent."""
    agent: bool = False
    """Whether the keys of the ssh-agent are tried if there is no key file."""


class _Transport(paramiko.Transport):
    """Remembers that the server closed the connection without a message, which paramiko reports as a refused login."""

    was_cut = False

    def get_exception(self) -> Exception | None:
        found: Exception | None = super().get_exception()
        self.was_cut = self.was_cut or isinstance(found, EOFError)
        return found


class _Files(paramiko.SFTPClient):
    """Removes the password from all of the server's status messages, since it may repeat it."""

    secret = ""

    def _convert_status(self, msg: paramiko.Message) -> None:
        try:
            super()._convert_status(msg)
        except OSError as error:
            if not self.secret or self.secret not in str(error):
                raise
            told = (each.replace(self.secret, "…") if isinstance(each, str) else each for each in error.args)
            raise type(error)(*told) from None


class ShellSession:
    """A logged-in session: `files` is the SFTP client, `guard` ends its waits."""

    def __init__(self, transport: paramiko.Transport, files: paramiko.SFTPClient, guard: Guard) -> None:
        self.files = files
        self.guard = guard
        self._transport = transport

    def continue_under(self, guard: Guard) -> None:
        """Let another guard watch the session from now on."""
        self.guard = guard
        if self._transport.is_active():  # else the socket is closed, and the next request fails
            guard.watch(getattr(self._transport.sock, "watched", self._transport.sock))

    def close(self) -> None:
        """End it, with everything that belongs to it."""
        self._transport.close()


def log_in(guard: Guard, login: Login, accept: AcceptHostKey | None, *, make: bool = True) -> ShellSession:
    """Return a logged-in session with a verified host, in the login's folder, which `make` makes if it is missing."""
    known, revoked = keys_of(login.known_hosts, login.host, login.port)
    transport = greet(guard, login, known)
    try:
        check_host_key(host_key_of(transport), known, revoked, login, accept)
        session = enter(guard, login, transport)
        enter_folder(session.files, login.folder, make=make)
        return session
    except BaseException:
        transport.close()
        raise


def greet(guard: Guard, login: Login, known: list[HostKey]) -> paramiko.Transport:
    """Connect, and agree on the encryption; the host isn't verified, and nothing of the login is sent there.

    Goes through the login's jump host, which is verified and logged in at.
    """
    connection = _Listening(guard.connect(login.host, login.port)) if login.jump is None else _via_jump(guard, login)
    transport = _Transport(connection)
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
            raise _greeting_in_words(connection.beginning, error, login) from None
        guard.progressed()
    except BaseException:
        transport.close()
        raise
    return transport


def host_key_of(transport: paramiko.Transport) -> HostKey:
    """Return the key that the host has shown."""
    server = transport.get_remote_server_key()
    return HostKey(server.get_name(), server.asbytes())


def enter(guard: Guard, login: Login, transport: paramiko.Transport) -> ShellSession:
    """Log in over a connection to a verified host, and begin to speak SFTP."""
    _authenticate(guard, login, transport)
    files = _Files.from_transport(transport)
    if files is None:
        raise NotSecureShell(f"{login.host} doesn't accept files by SFTP. Ask its administrator.")
    if login.key is None and not login.agent:  # with a key, the password isn't sent; it may be a single letter
        files.secret = login.password
    guard.progressed()
    return ShellSession(transport, files, guard)


def _authenticate(guard: Guard, login: Login, transport: paramiko.Transport) -> None:
    try:
        if login.key is not None:
            transport.auth_publickey(login.user, login.key)
        elif login.agent:
            _log_in_by_agent(guard, login, transport)
        else:
            transport.auth_password(login.user, login.password)
    except paramiko.AuthenticationException:
        guard.check()
        if getattr(transport, "was_cut", False):
            raise ShellConnectionCut(f"{login.host} ended the connection during the login. Try again later.") from None
        raise
    guard.progressed()


def _log_in_by_agent(guard: Guard, login: Login, transport: paramiko.Transport) -> None:
    """Log in by a key of the ssh-agent, which may be slow. Raises `LoginRefused` if it has none that is accepted."""
    with agent_keys(guard) as keys:
        for number, key in enumerate(keys[:_MOST_KEYS], 1):
            try:
                # The library's own thread waits for the agent, and doesn't notice a closed connection.
                call_abandonable(partial(transport.auth_publickey, login.user, key), guard.check)
                return
            except paramiko.AuthenticationException:
                if not transport.is_active():  # a refusal that is the last one ends the connection
                    raise LoginRefused(
                        f"{login.host} ended the login after {number} of the {len(keys)} keys of the ssh-agent "
                        "(MaxAuthTries). Set abq_sftp_key_file, or add the right key first."
                    ) from None
                guard.progressed()
    if not keys:
        why = (
            f"There is no ssh-agent with a key for {login.host}, so nobody was logged in. Add one by ssh-add, or set "
            "abq_sftp_agent to false."
        )
    elif any(key.refused for key in keys):
        why = f"The ssh-agent refused to use a key for {login.host}, so nobody was logged in. Does it ask for a yes?"
    else:
        more = "" if len(keys) <= _MOST_KEYS else f" Only the first {_MOST_KEYS} of its {len(keys)} were tried."
        why = f"{login.host} refused the user name {login.user}, or the keys of the ssh-agent.{more}"
    raise LoginRefused(why)


def _via_jump(guard: Guard, login: Login) -> _Listening:
    """Connect through the jump host to the host behind it. Raises what `greet` raises, and for its login."""
    assert login.jump is not None
    jump = login.jump
    own = replace(login, host=jump.host, port=jump.port, user=jump.user or login.user, jump=None)
    known, revoked = keys_of(own.known_hosts, own.host, own.port)
    transport = greet(guard, own, known)
    try:
        # The fingerprint in the settings is that of the host behind it, and only that host's key can be confirmed.
        _check_jump_key(host_key_of(transport), known, revoked, own)
        if own.key is None and not own.agent:
            raise LoginRefused(
                f"The jump host {own.host} is logged in at by a key only: set abq_sftp_key_file or abq_sftp_agent."
            )
        try:
            _authenticate(guard, own, transport)
        except LoginRefused:
            raise
        except paramiko.AuthenticationException:
            raise LoginRefused(f"The jump host {own.host} refused the user name {own.user}, or the key.") from None
        return _Listening(_channel(guard, transport, own, login), transport)
    except BaseException:
        transport.close()
        raise


def _channel(guard: Guard, transport: paramiko.Transport, own: Login, login: Login) -> paramiko.Channel:
    try:
        channel = transport.open_channel("direct-tcpip", (login.host, login.port), ("127.0.0.1", 0), timeout=_NEVER)
    except paramiko.ChannelException as error:
        place = f"{login.host}, port {login.port}"
        if error.code == _PROHIBITED:
            raise JumpRefused(
                f"The jump host {own.host} lets nobody through to {place}. Ask its administrator (AllowTcpForwarding)."
            ) from None
        raise ShellConnectionCut(f"The jump host {own.host} can't reach {place}. Try again later.") from None
    except (paramiko.SSHException, EOFError, OSError):
        guard.check()
        raise ShellConnectionCut(f"The jump host {own.host} ended the connection. Try again later.") from None
    guard.progressed()
    return channel


def _check_jump_key(key: HostKey, known: list[HostKey], revoked: list[HostKey], own: Login) -> None:
    try:
        check_host_key(key, known, revoked, replace(own, host_key=""), None)
    except HostKeyUnknown:
        raise JumpRefused(
            f"The jump host {own.host} isn't known yet, so nothing was sent. Its key has the fingerprint "
            f"{key.fingerprint}. If its administrator confirms that, add the key to {own.known_hosts}."
        ) from None


class _Listening:
    """A connection that remembers how what it received began: by that, SSH is distinguished from other services.

    `carrier`: what carries it, and ends with it. `watched`: the socket that all of it goes over.
    """

    def __init__(self, connection: socket.socket | paramiko.Channel, carrier: paramiko.Transport | None = None) -> None:
        self.beginning = b""
        self._connection = connection
        self._carrier = carrier
        self.watched: Any = connection if carrier is None else carrier.sock

    def close(self) -> None:
        with contextlib.suppress(EOFError, OSError, paramiko.SSHException):  # a channel's connection may have ended
            self._connection.close()
        if self._carrier is not None:
            self._carrier.close()

    def recv(self, size: int) -> bytes:
        block = self._connection.recv(size)
        if len(self.beginning) < len(_GREETING):
            self.beginning += block[: len(_GREETING)]
        return block

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _greeting_in_words(beginning: bytes, error: Exception, login: Login) -> Exception:
    place = f"{login.host}, port {login.port}"
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return NotSecureShell(
            f"{place} offers no encryption that is safe enough today. Ask its administrator to update it."
        )
    if not beginning:
        return ShellConnectionCut(f"The server at {place} ended the connection at once. Try again later.")
    if _GREETING.startswith(beginning[: len(_GREETING)]):
        return ShellConnectionCut(
            f"The server at {place} ended the connection while the encryption was agreed. Try again later."
        )
    return NotSecureShell(
        f"What answers at {place} doesn't speak SSH. Check the address and the setting abq_sftp_port."
    )


def fingerprint_in(text: str) -> str:
    """Return the fingerprint in a text such as a line of `ssh-keygen -lf`, "" if there is none of today's form."""
    found = _FINGERPRINT.search(text)
    return found[0] if found else ""


def check_host_key(
    key: HostKey, known: list[HostKey], revoked: list[HostKey], login: Login, accept: AcceptHostKey | None
) -> None:
    """Raise `HostKeyChanged` or `HostKeyUnknown` unless the key is known; one that is accepted is added to the file."""
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
    if login.host_key and fingerprint_in(login.host_key) != key.fingerprint:
        raise HostKeyChanged(
            f"The key of {login.host} isn't the one that abq_sftp_host_key names: it is {key.fingerprint}, and should "
            f"be {fingerprint_in(login.host_key) or login.host_key}. Somebody may be pretending to be the server, so "
            "nothing was sent. Ask your administrator."
        )
    if accept is None or not accept(key.fingerprint):
        raise HostKeyUnknown(
            f"{login.host} isn't known yet, so nothing was sent. Its key has the fingerprint {key.fingerprint}. "
            f"If its administrator confirms that, set abq_sftp_host_key to it, or add the key to {login.known_hosts}.",
            key.fingerprint,
        )
    add(login.known_hosts, login.host, login.port, key)
