"""rsyslog takes what we send, by each way, with the settings that docs/administrators.md prints for both of us."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import programs
from tests.fixtures.ports import free_port
from tests.network.certificates import Authority
from tests.network.real_servers import program, running, workspace
from tests.test_documents import ADMINISTRATORS, blocks

from .conftest import FACT, PATIENCE, kept, log_text

LOG = logging.getLogger("abq_data_entry.outbox.sending")


def printed(kind: str, beginning: str) -> str:
    """The block of the documents that begins so."""
    (found,) = [each for each in blocks(ADMINISTRATORS, kind) if each.lstrip().startswith(beginning)]
    return found


@contextmanager
def rsyslog(certificate: Path, authority: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """rsyslog with the printed settings; yields what stands for the printed places here, and the folder of its file."""
    executable = program("rsyslogd")
    modules = next(programs.root_of(executable).glob("usr/lib/*/rsyslog"), None)
    if modules is None or not (modules / "lmnsd_ossl.so").is_file():
        pytest.skip("rsyslog isn't here with its module for OpenSSL")
    with workspace() as (outer, _):
        ports = {each: str(free_port()) for each in ('"514"', '"601"', '"6514"')}
        here = {
            **{port: f'"{number}"' for port, number in ports.items()},
            "/etc/ssl/lab-ca.pem": str(authority),
            "/etc/ssl/logs.pem": str(certificate),
            "/etc/ssl/logs.key": str(certificate),
            "/var/log/abq-data-entry.log": str(outer / "abq-data-entry.log"),
            "/run/abq/log": str(outer / "log"),
        }
        text = printed("conf", "module(load=")
        for place, own in here.items():
            assert place in text, place
            text = text.replace(place, own)
        (outer / "rsyslog.conf").write_text(text, encoding="utf-8")
        command = [executable, "-n", "-f", outer / "rsyslog.conf", "-i", outer / "pid", "-M", modules]
        with running([*map(str, command)], executable, int(ports['"6514"']), outer / "out"):
            yield {place.strip('"'): own.strip('"') for place, own in here.items()}, outer


def written(file: Path, number: int) -> list[dict[str, str]]:
    """The events of the file, once that many are there."""
    end = time.monotonic() + PATIENCE
    while not file.exists() or len(lines := file.read_text("utf-8").splitlines()) < number:
        assert time.monotonic() < end, log_text()
        time.sleep(0.05)
    return [json.loads(line) for line in lines]


def test_rsyslog_by_each_way(trusted: Authority) -> None:
    entries = json.loads(printed("json", '{\n  "log_target"'))
    settings = {name: entry["value"] for name, entry in entries.items()}
    certificate = trusted.issue("localhost")
    settings |= {"log_ca_file": str(trusted.file), "log_client_certificate": str(certificate)}
    with rsyslog(certificate, trusted.file) as (here, folder):
        secured = settings["log_server"].replace("logs.lab.example:6514", f"localhost:{here['6514']}")
        others = (f"tcp://localhost:{here['601']}", f"udp://127.0.0.1:{here['514']}", here["/run/abq/log"])
        for number, server in enumerate((secured, *others), 1):
            with kept(**{**settings, "log_server": server}):
                LOG.warning("way %d – ü\n<8>1 forged", number, extra={"login": 'lab "a"'})
                found = written(folder / "abq-data-entry.log", number)
            assert len(found) == number
            last = found[-1]
            assert last["text"].lstrip("\ufeff") == f"way {number} – ü\\n<8>1 forged" and last["severity"] == "warning"
            facts = dict(FACT.findall(last["facts"]))
            assert facts["user"] == r"lab \"a\"" and facts["event"] == "outbox.sending.test_rsyslog_by_each_way"
