"""What the demo runs in: folders, settings and a database of its own, and servers and a folder to deliver to."""

import datetime
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import folders, postgres
from ..constants import CONFIG_FOLDER_VARIABLE, DATA_FOLDER_VARIABLE, SETTINGS_FILE
from ..launcher.display import end_process
from ..models import SQLModel, schema
from . import DemoFailed
from .readings import check

_PATIENCE = 30.0  # seconds for a start on a busy machine


class Login:
    """A user of a bundled server; the password is shown nowhere."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password


def rest_login() -> Login:
    """Return a login that the HTTP server is started with."""
    return Login("jsimms", secrets.token_urlsafe(9))


def ftp_login() -> Login:
    """Return the FTP server's only login; everybody may know it."""
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


LAB, TECHNICIAN, EVENING = "A", "J Simms", "20:00"


@dataclass(frozen=True)
class Environment:
    """What the demo needs; `endpoint` is that of the database, `rest` and `ftp` are the logins."""

    endpoint: dict[str, str]
    rest: Login
    ftp: Login


@contextmanager
def demo_environment(results: Path, today: datetime.date) -> Iterator[Environment]:
    """Servers that run and a database that holds yesterday's last check, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="abq-demo-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        data, config, logs = (home / each for each in ("data", "config", "log"))
        for folder in (home, data, config, logs, results / "rest", results / "ftp", results / "share"):
            folder.mkdir(exist_ok=True)
        for folder in (home, data):
            folder.chmod(0o755)  # as root the database runs as a user of its own, who has to get there
        rest, ftp = rest_login(), ftp_login()
        with (
            rest_server(rest, results / "rest", logs) as rest_address,
            ftp_server(results / "ftp", logs) as ftp_address,
            _with_variables({DATA_FOLDER_VARIABLE: str(data), CONFIG_FOLDER_VARIABLE: str(config)}),
        ):
            _write_settings(config, rest_address, ftp_address, (results / "share").resolve())
            server = postgres.EmbeddedServer(data, idle_seconds=60.0, over_tcp=sys.platform == "win32")
            try:
                server.ensure_running()  # within the try, so that Ctrl-C during the start ends it, too
                server.create_database()
                endpoint = server.endpoint()
                schema.prepare(endpoint)
                _record_evening(endpoint, today - datetime.timedelta(days=1))
                yield Environment(endpoint, rest, ftp)
            finally:
                server.stop()


def _write_settings(folder: Path, rest: str, ftp: tuple[str, int], share: Path) -> None:
    settings: dict[str, tuple[str, object]] = {
        "theme": ("str", "light"),
        "weather_schedule": ("bool", False),
        "weather_url": ("str", f"{rest}/xml/current_obs/{{station}}.xml"),
        "abq_auth_url": ("str", f"{rest}/auth"),
        "abq_upload_url": ("str", f"{rest}/upload"),
        "abq_ftp_host": ("str", ftp[0]),
        "abq_ftp_port": ("int", ftp[1]),
        "abq_folder_path": ("str", str(share)),
    }
    entries = {name: {"type": kind, "value": value} for name, (kind, value) in settings.items()}
    (folder / SETTINGS_FILE).write_text(json.dumps(entries, indent=2), encoding="utf-8")


def _record_evening(endpoint: dict[str, str], yesterday: datetime.date) -> None:
    """Record yesterday's last check, whose readings the form shows beside its fields as "was …"."""
    model = SQLModel.at(endpoint)
    try:
        for reading in check(20):
            model.save_record(reading.record(yesterday.isoformat(), EVENING, LAB, TECHNICIAN))
    finally:
        model.close()


@contextmanager
def _with_variables(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text
