"""SSH sessions over connections that a guard opens: a verified host, a key or a password.

Sources: RFC 4251 to 4254 (SSH), sshd(8) (SSH_KNOWN_HOSTS FILE FORMAT).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fnmatch
import hashlib
import hmac
import logging
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import paramiko

from . import sftp_folder
from .failures import UserFacingError
from .guard import Guard, call_abandonable
from .shell_agent import agent_keys
from .shell_jump import Jump

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
    """Return the host's keys, and keys that are revoked. No file is as good as an empty one; else raises `OSError`."""
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
    """Write down a key that somebody accepted. Raises `OSError`."""
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
    """Tell whether the names of a line mean the host: hashed, or patterns of which one with `!` excludes."""
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

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # its tracebacks of failures that are told in words anyway

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")

AcceptHostKey = Callable[[str], bool]


class HostKeyUnknown(UserFacingError, paramiko.SSHException):
    """The host was never seen before; `fingerprint` is what its administrator has to confirm. Nothing was sent."""

    def __init__(self, message: str, fingerprint: str) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint


class HostKeyChanged(UserFacingError, paramiko.SSHException):
    """The host isn't the one that we know by this name, or its key was revoked. Nothing was sent."""


class LoginRefused(UserFacingError, paramiko.AuthenticationException):
    """The user name, the password or the key isn't right."""

    login_refused = True


class JumpRefused(UserFacingError, paramiko.SSHException):
    """The jump host isn't to be trusted, or lets nobody through."""


class NotSecureShell(UserFacingError, paramiko.SSHException):
    """What answers doesn't speak SSH, or nothing that we have in common, or has no SFTP."""


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
    """The host to go through: its key must be known, and somebody logs in there by key or agent."""
    agent: bool = False
    """Whether the keys of the ssh-agent are tried, where no key of a file is given."""


class _Transport(paramiko.Transport):
    """Remembers that the other side ended the connection without a word, which the library tells as a refused login."""

    was_cut = False

    def get_exception(self) -> Exception | None:
        found: Exception | None = super().get_exception()
        self.was_cut = self.was_cut or isinstance(found, EOFError)
        return found


class _Files(paramiko.SFTPClient):
    """Knows what a server may repeat, and takes it out of each of its refusals, wherever those are told."""

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
        sftp_folder.enter(session.files, login.folder, make=make)
        return session
    except BaseException:
        transport.close()
        raise


def greet(guard: Guard, login: Login, known: list[HostKey]) -> paramiko.Transport:
    """Connect, and agree on the encryption; the host isn't verified, and nothing of the login is sent there.

    Goes through the login's jump host, which is verified and logged in at.
    """
    connection = _Listening(guard.connect(login.host, login.port)) if login.jump is None else _through(guard, login)
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
    if login.key is None and not login.agent:  # else it was told to nobody, and may be any letter
        files.secret = login.password
    guard.progressed()
    return ShellSession(transport, files, guard)


def _authenticate(guard: Guard, login: Login, transport: paramiko.Transport) -> None:
    try:
        if login.key is not None:
            transport.auth_publickey(login.user, login.key)
        elif login.agent:
            _by_agent(guard, login, transport)
        else:
            transport.auth_password(login.user, login.password)
    except paramiko.AuthenticationException:
        guard.check()
        if getattr(transport, "was_cut", False):
            raise ShellConnectionCut(f"{login.host} ended the connection during the login. Try again later.") from None
        raise
    guard.progressed()


def _by_agent(guard: Guard, login: Login, transport: paramiko.Transport) -> None:
    """Log in by a key of the ssh-agent, which may be slow. Raises `LoginRefused` where it has none, or none is good."""
    with agent_keys(guard) as keys:
        for number, key in enumerate(keys[:_MOST_KEYS], 1):
            try:
                # The library waits for its own thread, which waits for the agent and sees no end of the connection.
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


def _through(guard: Guard, login: Login) -> _Listening:
    """Open a way through the jump host to the host behind it. Raises what `greet` raises, and for its login."""
    assert login.jump is not None
    jump = login.jump
    own = replace(login, host=jump.host, port=jump.port, user=jump.user or login.user, jump=None)
    known, revoked = keys_of(own.known_hosts, own.host, own.port)
    transport = greet(guard, own, known)
    try:
        # The fingerprint of the settings is that of the host behind it, and so is the question about it.
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
    """A connection that remembers how what it received began: by that, SSH is told from other services.

    `carrier`: what carries it, and ends with it. `watched`: the socket that all of it goes over.
    """

    def __init__(self, connection: socket.socket | paramiko.Channel, carrier: paramiko.Transport | None = None) -> None:
        self.beginning = b""
        self._connection = connection
        self._carrier = carrier
        self.watched: Any = connection if carrier is None else carrier.sock

    def close(self) -> None:
        with contextlib.suppress(EOFError, OSError, paramiko.SSHException):  # what carries a channel may have ended
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
    """Raise `HostKeyChanged` or `HostKeyUnknown` unless the key is known; one that `accept` takes is written down."""
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
