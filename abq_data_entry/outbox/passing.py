"""Which failures may pass by themselves, so that it makes sense to try again, and which can't.

Told by the errors that `network` raises, and by those behind them: never by their texts.
"""

from __future__ import annotations

import datetime
import email.utils
import errno
import http.client
import socket
import ssl
import sys
from types import ModuleType

from ..network.failures import Cancelled, FileChanged, InvalidInput, causes

_BUSY = (408, 425, 429)
_NO_TLS_FAULT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # the connection was cut
_LOGIN_REFUSED = "430"  # of FTP: a 4 in front, but the same answer tomorrow


def may_pass(error: BaseException) -> bool:
    """Tell whether the same delivery may succeed later without anybody doing something.

    True for connections that were refused, cut or slow, for names that weren't found, for HTTP 408, 425, 429 and 5xx,
    for FTP replies of 4xx and transfers that weren't whole. False for everything that a person has to look at: a
    wrong login, a certificate or host key that isn't the right one, a refused file, a login page, what isn't known.
    """
    links = list(causes(error))
    for verdict in (_ours, _certificate, _host_key, _http, _ftp, _connection):
        for link in links:
            passing = verdict(link)
            if passing is not None:
                return passing
    return False


def retry_after(error: BaseException, now: datetime.datetime) -> float | None:
    """Return how many seconds the server wants us to wait (RFC 9110, 10.2.3), None if it doesn't say; never below 0."""
    for link in causes(error):
        headers = getattr(getattr(link, "response", None), "headers", None)
        text = str(headers.get("Retry-After", "")).strip() if headers is not None else ""
        if text:
            return _seconds(text, now)
    return None


def _seconds(text: str, now: datetime.datetime) -> float | None:
    if text.isascii() and text.isdecimal():
        return float(text[:12])  # more than the limit of all attempts, and no overflow
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.timezone.utc)
    return max((moment - now).total_seconds(), 0.0)


def _ours(error: BaseException) -> bool | None:
    """What we refuse ourselves stays refused, and whoever cancels means it."""
    return False if isinstance(error, Cancelled | InvalidInput | FileChanged) else None


def _certificate(error: BaseException) -> bool | None:
    requests = _loaded("requests")
    kinds = (ssl.SSLError,) if requests is None else (ssl.SSLError, requests.exceptions.SSLError)
    return False if isinstance(error, kinds) and not isinstance(error, _NO_TLS_FAULT) else None


def _host_key(error: BaseException) -> bool | None:
    """SFTP: a changed host key or a refused login; `paramiko` is there only if somebody used it."""
    exceptions = _loaded("paramiko.ssh_exception")
    if exceptions is None:
        return None
    refused = (exceptions.AuthenticationException, exceptions.BadHostKeyException)
    return False if isinstance(error, refused) else None


def _http(error: BaseException) -> bool | None:
    requests = _loaded("requests")
    if requests is None or not isinstance(error, requests.RequestException):
        return None
    status = getattr(error.response, "status_code", None)
    if status is not None:
        return status in _BUSY or 500 <= status < 600
    passing = (requests.Timeout, requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, passing) or None


def _ftp(error: BaseException) -> bool | None:
    ftplib = _loaded("ftplib")
    if ftplib is None or not isinstance(error, ftplib.Error):
        return None
    if isinstance(error, ftplib.error_temp):
        return not str(error).startswith(_LOGIN_REFUSED)
    from ..network import TransferIncomplete

    return isinstance(error, TransferIncomplete)


def _connection(error: BaseException) -> bool | None:
    if isinstance(error, OSError):
        ours = bool(error.filename)  # a file of this machine, not a connection
        return not ours and _is_of_the_network(error)
    return True if isinstance(error, EOFError | http.client.RemoteDisconnected | http.client.IncompleteRead) else None


def _is_of_the_network(error: OSError) -> bool:
    kinds = (ConnectionError, TimeoutError, socket.gaierror, *_NO_TLS_FAULT)
    numbers = (
        errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.ECONNREFUSED,
        errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT,
    )  # fmt: skip
    return isinstance(error, kinds) or error.errno in numbers


def _loaded(name: str) -> ModuleType | None:
    """Return a module only if it was imported already: an error of it can't exist otherwise."""
    return sys.modules.get(name)
