"""The folder of an SFTP server that files go into, and why the server refuses a file.

It says only "failure", but can be asked how its file system is. Sources: draft-ietf-secsh-filexfer-02 (SFTP version 3,
section 7), OpenSSH's PROTOCOL (statvfs@openssh.com).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

import paramiko
from paramiko.sftp import CMD_EXTENDED, CMD_EXTENDED_REPLY

from abq_data_entry.remote_names import folders_in

from .failures import UserFacingError, with_what_was_said

_READ_ONLY = 1  # SSH_FXE_STATVFS_ST_RDONLY
_NO_SPACE, _TOO_LONG, _READ_ONLY_SYSTEM = errno.ENOSPC, errno.ENAMETOOLONG, errno.EROFS


class FileRefused(UserFacingError, OSError):
    """The server doesn't take the file; `errno` says why where that is known."""


class FileSystem(NamedTuple):
    """The file system that the session is in: bytes that we may write, whether it is read-only, the longest name."""

    free: int
    read_only: bool
    longest_name: int


def file_system(files: paramiko.SFTPClient) -> FileSystem | None:
    """Ask how the file system is; `None` where the server doesn't tell. Raises errors of a broken connection."""
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
    return FileRefused(number, sentence if error.errno else with_what_was_said(sentence, said))


class FolderRefused(UserFacingError, OSError):
    """The folder isn't there and can't be made, or may not be entered; nothing was sent."""


def enter(files: paramiko.SFTPClient, folder: str, *, make: bool = True) -> bool:
    """Go into the folder; return whether it had to be made. An empty one is where the session is already.

    Raises `FolderRefused` (also with `make` false, if it isn't there), and what a connection raises.
    """
    if not folder:
        return False
    refused = _entered(files, folder)
    if refused is None:
        return False
    if make and refused.errno == errno.ENOENT:
        why = _made(files, folder)
        refused = _entered(files, folder)
        if refused is None:
            return True
        refused = why or refused
    how = ", and it couldn't be made" if make else ""
    sentence = (
        f"The SFTP server has no folder {folder} that this user may enter{how}. Nothing was sent. "
        "Check the setting abq_ftp_folder, or ask the server's administrator."
    )
    raise FolderRefused(refused.errno or errno.EIO, with_what_was_said(sentence, refused.strerror or str(refused)))


def _entered(files: paramiko.SFTPClient, folder: str) -> OSError | None:
    """Go into the folder; return why that was refused, `None` if it wasn't."""
    try:
        files.chdir(folder)
    except OSError as error:
        return _refusal(error)
    return None


def _made(files: paramiko.SFTPClient, folder: str) -> OSError | None:
    """Make the folder and those that it lies in; return why the last one was refused, `None` if it wasn't.

    One that somebody else makes at this very moment is there, too.
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
    """Return the error if it is the server's answer; raise one of the connection."""
    if isinstance(error, UserFacingError | ConnectionError | TimeoutError) or is_closed(error):
        raise error
    return error
