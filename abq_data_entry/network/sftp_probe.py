"""The SFTP server: the way to it, its greeting, its key; a login and a tiny file only if wanted."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from . import probing, sftp_folder
from .destination import Destination
from .probing import MADE_LATER, TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name, shown, usable
from .secure_shell import private_key, sanitized
from .shell_session import (
    HostKeyUnknown,
    Login,
    ShellSession,
    check_host_key,
    default_file,
    enter,
    greet,
    host_key_of,
    keys_of,
)

if TYPE_CHECKING:
    import paramiko


def probe(destination: Destination, context: Context) -> Steps[None]:
    """Check the server. A key that isn't known yet is shown, and neither trusted nor written down."""
    host, number = str(context.settings["abq_ftp_host"]), int(str(context.settings["abq_sftp_port"]))
    inspection = Inspection(f"SFTP server {host}:{number}", context, destination.kind)
    yield from usable(inspection, destination.problem(context.settings))
    addresses = yield from probing.name(inspection, host, number)
    yield from probing.port(inspection, host, number, addresses)
    chosen = str(context.settings["abq_sftp_known_hosts"])
    file = Path(chosen) if chosen else default_file()
    login = Login(host, number, "", "", None, file, str(context.settings["abq_sftp_host_key"]))
    transport = yield from inspection.step("Greeting", lambda: _greet(context, login))
    with contextlib.closing(transport):
        yield from inspection.step("Host key", lambda: _compare(context, login, transport))
        known = yield from inspection.login(destination.kind)
        if known is None:
            return
        session = yield from inspection.step("Login", lambda: _log_in(context, login, transport, *known))
        if folder := str(context.settings["abq_ftp_folder"]):
            yield from inspection.step("Folder", lambda: _enter(session, folder, context.wanted.write))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _store(session))


def _greet(context: Context, login: Login) -> Result[paramiko.Transport]:
    known, _ = keys_of(login.known_hosts, login.host, login.port)
    transport = greet(context.guard, login, known)
    return Result(transport, f"“{shown(transport.remote_version)}”, encrypted by {shown(transport.remote_cipher)}")


def _compare(context: Context, login: Login, transport: paramiko.Transport) -> Result[None]:
    key = host_key_of(transport)
    known, revoked = keys_of(login.known_hosts, login.host, login.port)
    text = f"{shown(key.kind)} {key.fingerprint}"
    try:
        check_host_key(key, known, revoked, login, None)
    except HostKeyUnknown:
        if not login.host_key:
            raise
        return Result(None, f"{text} is the one that abq_sftp_host_key names")
    return Result(None, f"{text} is known")


def _log_in(
    context: Context, login: Login, transport: paramiko.Transport, username: str, password: str
) -> Result[ShellSession]:
    file = str(context.settings["abq_sftp_key_file"])
    key = private_key(file, password) if file else None
    entering = Login(login.host, login.port, username, password, key, login.known_hosts)
    try:
        session = enter(context.guard, entering, transport)
    except Exception as error:
        failure = sanitized(error, login.host)
    else:
        return Result(session, f"{username} is logged in")
    raise failure


def _enter(session: ShellSession, folder: str, may_make: bool) -> Result[None]:
    try:
        made = sftp_folder.enter(session.files, folder, make=may_make)
    except sftp_folder.FolderRefused:
        if may_make:
            raise
        return Result(None, f"{folder} can't be entered", MADE_LATER)
    return Result(None, f"{folder} was made" if made else f"{folder} is there")


def _store(session: ShellSession) -> Result[None]:
    name = new_test_name()
    try:
        with session.files.open(name, "wx") as file:
            file.write(TEST_CONTENT)
    except Exception as error:
        failure = sanitized(error, "")
    else:
        try:
            session.files.remove(name)
        except OSError:
            return Result(None, f"{name} was stored", "It stays there: this user may not remove files, and needn't.")
        return Result(None, f"{name} was stored and removed again")
    raise failure
