"""The SFTP server: the way to it, its greeting, its key; a login and a tiny file only if wanted."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import probing, sftp_folder
from .destination import Destination
from .probing import MADE_LATER, TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name, shown, usable
from .secure_shell import private_key, sanitized
from .shell_jump import jump_of
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
    jump = jump_of(str(context.settings["abq_sftp_jump"]))
    first = (host, number) if jump is None else (jump.host, jump.port)
    addresses = yield from probing.name(inspection, *first, "Name" if jump is None else "Jump name")
    yield from probing.port(inspection, *first, addresses, "Port" if jump is None else "Jump port")
    chosen = str(context.settings["abq_sftp_known_hosts"])
    file = Path(chosen) if chosen else default_file()
    login = Login(host, number, "", "", None, file, str(context.settings["abq_sftp_host_key"]))
    known: tuple[str, str] | None = None
    if jump is not None:  # only who logs in there sees the rest of the way
        known = yield from inspection.login(destination.kind)
        if known is None:
            return
    transport = yield from inspection.step("Greeting", lambda: _greet(context, login, known))
    with contextlib.closing(transport):
        yield from inspection.step("Host key", lambda: _compare(context, login, transport))
        known = known or (yield from inspection.login(destination.kind))
        if known is None:
            return
        session = yield from inspection.step("Login", lambda: _log_in(context, login, transport, known))
        if folder := str(context.settings["abq_ftp_folder"]):
            yield from inspection.step("Folder", lambda: _enter(session, folder, context.wanted.write))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _store(session))


def _greet(context: Context, login: Login, through: tuple[str, str] | None) -> Result[paramiko.Transport]:
    known, _ = keys_of(login.known_hosts, login.host, login.port)
    transport = greet(context.guard, _of(context, login, *through) if through else login, known)
    way = f"through {context.settings['abq_sftp_jump']}: " if through else ""
    return Result(transport, f"{way}“{shown(transport.remote_version)}”, encrypted by {shown(transport.remote_cipher)}")


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


def _of(context: Context, login: Login, username: str, password: str) -> Login:
    """The login with who logs in, by which key, and through which host. Raises `InvalidInput`, `OSError`."""
    file = str(context.settings["abq_sftp_key_file"])
    return replace(
        login, user=username, password=password, key=private_key(file, password) if file else None,
        jump=jump_of(str(context.settings["abq_sftp_jump"])), agent=bool(context.settings["abq_sftp_agent"]),
    )  # fmt: skip


def _log_in(
    context: Context, login: Login, transport: paramiko.Transport, known: tuple[str, str]
) -> Result[ShellSession]:
    entering = _of(context, login, *known)
    username, _ = known
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
