"""Where the demo plays: folders, settings and a database of its own, and servers and a folder to deliver to."""

import datetime
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import postgres
from ..constants import CONFIG_FOLDER_VARIABLE, DATA_FOLDER_VARIABLE, SETTINGS_FILE
from ..models import SQLModel, schema
from .readings import check
from .servers import Login, ftp_login, ftp_server, rest_login, rest_server

LAB, TECHNICIAN, EVENING = "A", "J Simms", "20:00"


@dataclass(frozen=True)
class Surroundings:
    """What the day needs; `endpoint` is the database's, `rest` and `ftp` are the logins."""

    endpoint: dict[str, str]
    rest: Login
    ftp: Login


@contextmanager
def surroundings(results: Path, today: datetime.date) -> Iterator[Surroundings]:
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
            _environment({DATA_FOLDER_VARIABLE: str(data), CONFIG_FOLDER_VARIABLE: str(config)}),
        ):
            _write_settings(config, rest_address, ftp_address, (results / "share").resolve())
            server = postgres.EmbeddedServer(data, idle_seconds=60.0, over_tcp=sys.platform == "win32")
            try:
                server.ensure_running()  # within the try: Ctrl-C in the middle of a start must end it too
                server.create_database()
                endpoint = server.endpoint()
                schema.prepare(endpoint)
                _record_evening(endpoint, today - datetime.timedelta(days=1))
                yield Surroundings(endpoint, rest, ftp)
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
    """The check before: its readings are what stands beside the fields as "was …"."""
    model = SQLModel.at(endpoint)
    try:
        for reading in check(20):
            model.save_record(reading.record(yesterday.isoformat(), EVENING, LAB, TECHNICIAN))
    finally:
        model.close()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
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
