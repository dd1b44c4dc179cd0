"""Failures that a person can mend at once: another login, or a look at the server's key.

Told by the errors that `network` raises, never by their texts.
"""

from __future__ import annotations

import sys

from ..network.failures import causes

_HTTP_REFUSED = (401, 403)
_LOGIN_PAGE = 200  # an error with this status: a login page stood in place of the answer
_FTP_REFUSED = ("430", "530")


def login_refused(error: BaseException | None) -> bool:
    """Tell whether the server didn't accept the user name or the password (or key), so that asking again may help."""
    return error is not None and any(_refuses(link) for link in causes(error))


def unknown_host_key(error: BaseException | None) -> str:
    """Return the fingerprint of the key of an SFTP server that was never seen before; empty for any other failure."""
    secure_shell = sys.modules.get("abq_data_entry.network.secure_shell")  # not imported: it can't have raised
    if error is None or secure_shell is None:
        return ""
    found = (link for link in causes(error) if isinstance(link, secure_shell.HostKeyUnknown))
    return next((str(link.fingerprint) for link in found), "")


def _refuses(error: BaseException) -> bool:
    requests, ftplib = sys.modules.get("requests"), sys.modules.get("ftplib")
    secure_shell = sys.modules.get("paramiko.ssh_exception")
    if requests is not None and isinstance(error, requests.HTTPError):
        return getattr(error.response, "status_code", None) in (*_HTTP_REFUSED, _LOGIN_PAGE)
    if ftplib is not None and isinstance(error, ftplib.Error):
        return str(error).startswith(_FTP_REFUSED)
    return secure_shell is not None and isinstance(error, secure_shell.AuthenticationException)
