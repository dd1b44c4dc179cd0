"""The folder of an FTP server that files go into: entered once after the login, and made where it is missing.

Sources: RFC 959 (CWD, MKD), RFC 2640 (UTF-8 names).
"""

import contextlib
import ftplib

from abq_data_entry.remote_names import folders_in

from .failures import UserFacingError, with_what_was_said
from .ftp_replies import said
from .ftp_session import Session


class FolderRefused(UserFacingError, ftplib.error_perm):
    """The folder isn't there and can't be made, or may not be entered; nothing was sent."""


def enter(session: Session, folder: str, *, make: bool = True) -> bool:
    """Go into the folder; return whether it had to be made. An empty one is where the session is already.

    Raises `FolderRefused` (also with `make` false, if it isn't there), and what a connection raises.
    """
    if not folder:
        return False
    if not folder.isascii():
        with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
            session.sendcmd("OPTS UTF8 ON")  # some servers want to be asked (RFC 2640)
    try:
        session.voidcmd(f"CWD {folder}")
        return False
    except ftplib.error_perm as error:
        refused = str(error)
    words = said(refused)
    if make:
        words = f"{words} {said(_made(session, folder))}".strip()
        try:
            session.voidcmd(f"CWD {folder}")
            return True
        except ftplib.error_perm as error:
            refused = str(error)
    how = ", and it couldn't be made" if make else ""
    sentence = (
        f"The FTP server has no folder {folder} that this user may enter{how} ({refused[:3]}). Nothing was sent. "
        "Check the setting abq_ftp_folder, or ask the server's administrator."
    )
    raise FolderRefused(with_what_was_said(sentence, words))


def _made(session: Session, folder: str) -> str:
    """Make the folder and those that it lies in; return why the last one was refused, "" if it wasn't.

    One that is there already is refused too, also one that somebody else makes at this very moment.
    """
    refused = ""
    for each in folders_in(folder):
        session.guard.progressed()
        try:
            session.voidcmd(f"MKD {each}")
            refused = ""
        except ftplib.error_perm as error:
            refused = str(error)
    return refused
