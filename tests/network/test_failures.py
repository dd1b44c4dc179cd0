"""What people are told: a table of errors and words, and that importing the room costs nothing."""

import errno
import ftplib
import http.client
import socket
import ssl
import subprocess
import sys
import urllib.error
from email.message import Message
from pathlib import Path

import pytest
import requests
import urllib3

from abq_data_entry import network

SECRET = "opensesame"
ROOT = Path(__file__).resolve().parents[2]


def status_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status} for url: http://h/?key={SECRET}", response=response)


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


def behind(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


def connection_error(reason: Exception) -> requests.ConnectionError:
    """As `requests` wraps them: the telling error three levels down, and the query string in the text."""
    pool = urllib3.HTTPConnectionPool("h")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, f"/?key={SECRET}", reason))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (network.Cancelled(), "Cancelled"),
        (network.WeatherError("Just so."), "Just so."),
        (behind(RuntimeError("outer"), network.InvalidInput("Just so.")), "Just so."),
        (socket.gaierror(-2, SECRET), "The host isn't known"),
        (ConnectionRefusedError(errno.ECONNREFUSED, SECRET), "refused the connection"),
        (TimeoutError(SECRET), "didn't answer in time"),
        (ConnectionResetError(errno.ECONNRESET, SECRET), "was cut"),
        (BrokenPipeError(errno.EPIPE, SECRET), "was cut"),
        (EOFError(SECRET), "was cut"),
        (http.client.RemoteDisconnected(SECRET), "was cut"),
        (http.client.IncompleteRead(SECRET.encode()), "was cut"),
        (http.client.BadStatusLine(SECRET), "doesn't speak HTTP"),
        (http.client.LineTooLong(SECRET), "too large"),
        (OSError(errno.EHOSTUNREACH, SECRET), "no route to the host"),
        (OSError(errno.ENETUNREACH, SECRET), "no route to the host"),
        (certificate_error(), "can't be trusted: certificate has expired"),
        (ssl.SSLEOFError(8, SECRET), "was cut"),
        (ssl.SSLError(1, SECRET), "may not speak TLS"),
        (FileNotFoundError(errno.ENOENT, "gone", "a.csv"), "The file a.csv doesn't exist"),
        (PermissionError(errno.EACCES, "no", Path("a.csv")), "a.csv can't be read or written: you have no right"),
        (IsADirectoryError(errno.EISDIR, "folder", b"a.csv"), "a.csv is a folder"),
        (OSError(errno.EIO, "Input/output error", "a.csv"), "reports an error (a.csv). Tell your administrator"),
        (OSError(errno.ENOTDIR, "Not a directory", "a.csv"), "a.csv can't be read or written (Not a directory)"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk of this computer is full. Free some space"),
        (OSError(errno.ENOSPC, "No space left on device", Path("a.csv")), "is full (a.csv)"),
        (OSError(errno.EROFS, "Read-only file system", "a.csv"), "can only be read (a.csv)"),
        (ftplib.error_perm("530 no"), "user name or the password (530)"),
        (ftplib.error_perm("599 no"), "refused the request (599)"),
        (ftplib.error_temp("499 no"), "can't do it at the moment (499)"),
        (ftplib.error_proto(SECRET), "doesn't speak FTP"),
        (urllib.error.HTTPError(f"http://h/?{SECRET}", 500, SECRET, Message(), None), "an error of its own (500)"),
        (urllib.error.URLError(socket.gaierror(-2, SECRET)), "The host isn't known"),
        (status_error(401), "user name or the password (401)"),
        (status_error(404), "no such service at this address (404)"),
        (status_error(407), "proxy"),
        (status_error(413), "too large (413)"),
        (status_error(429), "is busy (429)"),
        (status_error(418), "refused the request (418)"),
        (status_error(302), "redirected us to another address (302)"),
        (status_error(503), "an error of its own (503)"),
        (connection_error(ConnectionRefusedError()), "refused the connection"),
        (connection_error(urllib3.exceptions.SSLError(certificate_error())), "can't be trusted"),
        (connection_error(behind(urllib3.exceptions.HTTPError(SECRET), socket.gaierror(-2, SECRET))), "isn't known"),
        (requests.exceptions.ProxyError(SECRET), "The proxy"),
        (requests.ReadTimeout(SECRET), "didn't answer in time"),
        (requests.exceptions.InvalidURL(SECRET), "address of the service isn't valid"),
        (requests.exceptions.ChunkedEncodingError(SECRET), "was cut"),
        (requests.exceptions.ContentDecodingError(SECRET), "couldn't be understood"),
        (ZeroDivisionError(SECRET), "Something unexpected went wrong (ZeroDivisionError)"),
    ],
)
def test_words(error: Exception, told: str) -> None:
    sentence = network.describe_failure(error)
    assert told in sentence
    assert SECRET not in sentence
    assert sentence.splitlines()[0].endswith(".")


def test_errors_that_go_round_in_circles() -> None:
    one, other = OSError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    assert "Something unexpected" in network.describe_failure(one)


def test_every_public_name_is_there() -> None:
    for name in network.__all__:
        assert getattr(network, name) is not None
        assert name in dir(network)
    assert network.requests is requests and network.ftp is ftplib
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        network.nonsense  # noqa: B018


def test_importing_costs_nothing_and_knows_no_window() -> None:
    program = (
        "import sys; from abq_data_entry import network; before = set(sys.modules)\n"
        "assert not {'requests', 'ftplib', 'urllib.request', 'ssl', 'http.client'} & before, before\n"
        "for name in network.__all__: getattr(network, name)\n"
        "assert not {'tkinter', '_tkinter', 'psycopg2'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
