"""What an FTP server means by its replies where the number alone doesn't say it (RFC 959, section 4.2)."""

import ftplib
import re

from .failures import UserFacingError, with_what_was_said

_CODE = re.compile(r"^\d{3}[ -]", re.MULTILINE)
_TOO_MANY = re.compile(
    r"(?i)too many|maximum (number|connections|clients|users|sessions)|max(imum)? .{0,30}(reached|exceeded)"
    r"|(connection|client|user|session)s? .{0,20}limit|limit .{0,30}(connection|client|user|session)"
    r"|already (connected|logged in)|try again later"
)
_WRONG_LOGINS = re.compile(r"(?i)fail|attempt|incorrect|invalid|wrong|password")
_WANTS_ENCRYPTION = re.compile(r"(?i)encrypt|\b(TLS|SSL|FTPS)\b|\bAUTH first|clear ?text|plain FTP")
_WRONG_LOGIN = ("430", "530")
_REFUSED = ("421", "500", "502", "503", "522", "530", "533", "534", "536", "550")


class ServerBusy(UserFacingError, ftplib.error_temp):
    """The server has too many connections, whatever number it says that with."""

    transient = True


class EncryptionWanted(UserFacingError, ftplib.error_perm):
    """The server takes nothing in the clear."""


class NotFtp(UserFacingError, ftplib.error_proto):
    """What answers isn't an FTP server."""


def said(reply: str) -> str:
    """Return a reply without its numbers."""
    return _CODE.sub("", reply)


def read_anew(error: ftplib.Error, host: str, security: str) -> ftplib.Error:
    """Return what a refusal really is; the error itself, with what follows from it, where its number says it right."""
    reply = str(error)
    code = reply[:3]
    if isinstance(error, UserFacingError) or not isinstance(error, ftplib.error_perm | ftplib.error_temp):
        return error
    if security == "none" and code in _REFUSED and _WANTS_ENCRYPTION.search(reply):
        sentence = (
            f"{host} wants an encrypted connection ({code}), and nothing was sent. "
            "Set abq_ftp_security to explicit (or implicit)."
        )
        return EncryptionWanted(with_what_was_said(sentence, said(reply)))
    if code in ("530", "421") and _TOO_MANY.search(reply) and not _WRONG_LOGINS.search(reply):
        sentence = f"{host} has too many connections at the moment ({code}). Try again in a few minutes."
        return ServerBusy(with_what_was_said(sentence, said(reply)))
    wrong_login = code in _WRONG_LOGIN
    transient = isinstance(error, ftplib.error_temp) and not wrong_login
    vars(error).update(transient=transient, login_refused=wrong_login)  # as `UserFacingError` has them
    return error
