"""The folder of an SFTP server that files go into: entered once after the login, and made where it is missing."""

import errno
import stat

import paramiko

from abq_data_entry.remote_names import folders_in

from .failures import UserFacingError, with_what_was_said
from .sftp_reasons import is_closed


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
