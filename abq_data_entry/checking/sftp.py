"""The SFTP server: the way to it, its greeting, its key; a login and a tiny file only if wanted."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..network import known_hosts as host_keys
from . import names, route, tiny_file
from .steps import Finding, Inspection, Steps, Terms, shown

if TYPE_CHECKING:
    import paramiko

    from ..network.shell_session import Login, ShellSession


def sftp(terms: Terms) -> Steps[None]:
    """Check the server. A key that isn't known yet is shown, and neither trusted nor written down."""
    from ..network.shell_session import Login

    host, number = str(terms.settings["abq_ftp_host"]), int(str(terms.settings["abq_sftp_port"]))
    inspection = Inspection(f"SFTP server {host}:{number}", terms)
    yield from names.usable(inspection, "abq_ftp_folder", "abq_upload_name")
    addresses = yield from route.name(inspection, host, number)
    yield from route.port(inspection, host, number, addresses)
    chosen = str(terms.settings["abq_sftp_known_hosts"])
    file = Path(chosen) if chosen else host_keys.default_file()
    login = Login(host, number, "", "", None, file, str(terms.settings["abq_sftp_host_key"]))
    transport = yield from inspection.step("Greeting", lambda: _greet(terms, login))
    with contextlib.closing(transport):
        yield from inspection.step("Host key", lambda: _compare(terms, login, transport))
        known = yield from inspection.login("ftp")
        if known is None:
            return
        session = yield from inspection.step("Login", lambda: _log_in(terms, login, transport, *known))
        if folder := str(terms.settings["abq_ftp_folder"]):
            yield from inspection.step("Folder", lambda: _enter(session, folder, terms.wanted.write))
        if terms.wanted.write:
            yield from inspection.step("Write test", lambda: _store(session))


def _greet(terms: Terms, login: Login) -> Finding[paramiko.Transport]:
    from ..network.shell_session import greet

    known, _ = host_keys.keys_of(login.known_hosts, login.host, login.port)
    transport = greet(terms.guard, login, known)
    return Finding(transport, f"“{shown(transport.remote_version)}”, encrypted by {shown(transport.remote_cipher)}")


def _compare(terms: Terms, login: Login, transport: paramiko.Transport) -> Finding[None]:
    from ..network.shell_session import HostKeyUnknown, check_host_key, host_key_of

    key = host_key_of(transport)
    known, revoked = host_keys.keys_of(login.known_hosts, login.host, login.port)
    text = f"{shown(key.kind)} {key.fingerprint}"
    try:
        check_host_key(key, known, revoked, login, None)
    except HostKeyUnknown:
        if not login.host_key:
            raise
        return Finding(None, f"{text} is the one that abq_sftp_host_key names")
    return Finding(None, f"{text} is known")


def _log_in(
    terms: Terms, login: Login, transport: paramiko.Transport, username: str, password: str
) -> Finding[ShellSession]:
    from ..network.secure_shell import private_key, sanitized
    from ..network.shell_session import Login, enter

    file = str(terms.settings["abq_sftp_key_file"])
    key = private_key(file, password) if file else None
    entering = Login(login.host, login.port, username, password, key, login.known_hosts)
    try:
        session = enter(terms.guard, entering, transport)
    except Exception as error:
        failure = sanitized(error, login.host)
    else:
        return Finding(session, f"{username} is logged in")
    raise failure


def _enter(session: ShellSession, folder: str, may_make: bool) -> Finding[None]:
    from ..network import sftp_folder

    try:
        made = sftp_folder.enter(session.files, folder, make=may_make)
    except sftp_folder.FolderRefused:
        if may_make:
            raise
        return Finding(None, f"{folder} can't be entered", names.MADE_LATER)
    return Finding(None, f"{folder} was made" if made else f"{folder} is there")


def _store(session: ShellSession) -> Finding[None]:
    from ..network.secure_shell import sanitized

    name = tiny_file.new_name()
    try:
        with session.files.open(name, "wx") as file:
            file.write(tiny_file.CONTENT)
    except Exception as error:
        failure = sanitized(error, "")
    else:
        try:
            session.files.remove(name)
        except OSError:
            return Finding(None, f"{name} was stored", "It stays there: this user may not remove files, and needn't.")
        return Finding(None, f"{name} was stored and removed again")
    raise failure
