"""The bundled servers, run as they are: processes of their own, ended by us."""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import folders
from ..launcher.display import end_process
from . import DemoFailed

_PATIENCE = 30.0  # seconds for a start on a busy machine


class Login:
    """A user of a bundled server; the password is shown nowhere."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password


def rest_login() -> Login:
    """A login that the HTTP server is started with."""
    return Login("jsimms", secrets.token_urlsafe(9))


def ftp_login() -> Login:
    """The FTP server's only login; everybody may know it."""
    return Login("test", "test")


@contextmanager
def rest_server(login: Login, store: Path, logs: Path) -> Iterator[str]:
    """The HTTP server, which checks the login, stores files in `store`, and answers as a weather feed; its address."""
    options = ["--username", login.username, "--save-to", str(store)]
    with _running("sample_http_server.py", options, logs, {"ABQ_SERVER_PASSWORD": login.password}) as address:
        yield address


@contextmanager
def ftp_server(store: Path, logs: Path) -> Iterator[tuple[str, int]]:
    """The FTP server, which serves the folder `store`; its host and port."""
    with _running("basic_ftp_server.py", ["--folder", str(store)], logs, {}) as address:
        host, _, port = address.rpartition("/")[2].rpartition(":")
        yield host, int(port)


@contextmanager
def _running(script: str, options: list[str], logs: Path, variables: dict[str, str]) -> Iterator[str]:
    output = logs / f"{Path(script).stem}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(folders.bundled_file(script)), "--port", "0", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **variables},
            start_new_session=True,  # Ctrl-C in the terminal is for us; we end it
        )
    try:
        yield _address(process, output, script)
    finally:
        end_process(process)


def _address(process: "subprocess.Popen[bytes]", output: Path, script: str) -> str:
    deadline = time.monotonic() + _PATIENCE
    while True:
        ended = process.poll() is not None
        said = output.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"Serving on (\w+://\S+?)/ ", said):
            return found[1]
        if ended or time.monotonic() > deadline:
            why = said.strip().splitlines()[-1:] or ["it said nothing"]
            raise DemoFailed(f"{script} did not start: {why[0]}")
        time.sleep(0.01)
