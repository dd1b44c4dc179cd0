"""The page of deliveries: its commands, as they are printed, send a day to a server of each kind."""

from __future__ import annotations

import hashlib
import io
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from abq_data_entry.__main__ import main
from abq_data_entry.models import SQLModel
from tests import programs
from tests.fixtures.ports import free_port
from tests.fixtures.servers import BundledServer
from tests.fixtures.window import write_settings
from tests.models.records import record
from tests.models.test_destinations import ZONE, scheduled
from tests.models.test_schema import run as execute
from tests.network.certificates import authority
from tests.network.dav_servers import PASSWORD as DAV_PASSWORD
from tests.network.dav_servers import USERNAME as DAV_USER
from tests.network.dav_servers import apache
from tests.network.object_store import object_store
from tests.network.real_servers import running as running_server
from tests.network.real_servers import sshd, vsftpd
from tests.test_documents import ROOT, blocks

from .listing import commands_in

PAGE = ROOT / "docs/deliveries.md"


def commands() -> list[str]:
    """What the page prints, in its order."""
    return [each for block in blocks(PAGE, "") for each in commands_in(block)]


@contextmanager
def _printed_service(folder: Path) -> Iterator[int]:
    """The XML-RPC service that the page prints, as it stands; yields its port."""
    (program,) = blocks(PAGE, "python")
    (folder / "calls").mkdir()
    port = free_port()
    words = [sys.executable, "-c", program.replace("/srv/company", str(folder)).replace("8900", str(port))]
    with running_server(words, Path(sys.executable), port, folder / "calls.log"):
        yield port


@pytest.mark.takes(10)
@pytest.mark.needs("network")
def test_its_commands_send_a_day_to_each_kind(
    home: Path, database: dict[str, str], stored: SQLModel, rest_server: BundledServer, ftp_server: BundledServer,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (before,) = stored.query(f"SELECT (now() AT TIME ZONE '{ZONE}')::date - 1 AS day") or []
    day, trusted = before["day"], authority("laboratory", tmp_path)
    execute(database, "UPDATE plots SET retired = now() WHERE lab_id = 'A' AND plot > 1")
    stored.save_record(record(Date=day, Plot="1"))
    for name in ("plants", "views"):
        (tmp_path / name).mkdir()
    with ExitStack() as running:
        certificate = trusted.issue("127.0.0.1")
        ftps, shell = running.enter_context(vsftpd(certificate)), running.enter_context(sshd())
        dav = running.enter_context(apache(certificate=certificate))
        calls = running.enter_context(_printed_service(tmp_path))
        bucket = running.enter_context(object_store()) if programs.find("moto") else None
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{shell.port} {shell.host_key}\n", "utf-8")
        write_settings(home, {
            "db_name": database["dbname"], "abq_ca_file": str(trusted.file), "abq_sftp_known_hosts": str(known),
            "abq_sftp_key_file": str(shell.key_file),
        })  # fmt: skip
        theirs = {
            "https://company.example/upload": rest_server.upload_url,
            "https://company.example/auth": rest_server.auth_url,
            "hall.example:2121": f"{ftp_server.host}:{ftp_server.port}",
            "ftps.example:2122": f"127.0.0.1:{ftps.port}",
            "sftp.example:2222": f"127.0.0.1:{shell.port}",
            "jump.example:2223": f"127.0.0.1:{shell.port}",  # through itself
            "https://dav.example/lab": dav.url.rstrip("/"),
            "127.0.0.1:8900": f"127.0.0.1:{calls}",
            "/srv/company": str(tmp_path),
            "~/.config/abq-data-entry": str(home),
            "yesterday": str(day),
            "lab-a": "test", "lab-b": "test", "lab-c": ftps.username, "lab-d": shell.username, "lab-e": DAV_USER,
            "right horse": "test",
            "https://s3.example:9000/lab": bucket.url if bucket else "", "lab-f": bucket.key if bucket else "",
        }  # fmt: skip
        secrets = {"ftps.partner": "any", "sftp.backup": "any", "sftp.inside": "any", "webdav.cloud": DAV_PASSWORD}
        secrets |= {"s3.bucket": bucket.secret} if bucket else {}
        for command in commands():
            if bucket is None and " s3 " in command:
                continue
            if "install-schedule" in command:  # tests/documents/test_commands.py has a home for it
                continue
            for text, ours in theirs.items():
                command = command.replace(text, ours)
            if not command.startswith("abq-data-entry "):
                subprocess.run(["/bin/sh", "-c", command], check=True, timeout=60)
                continue
            if "--unattended" in command:
                for name, password in secrets.items():
                    (home / "secrets" / name).write_text(f"{password}\n", "utf-8")
                    (home / "secrets" / name).chmod(0o600)
                scheduled(database, f"{day} 00:00-07")
            monkeypatch.setattr(sys, "stdin", io.StringIO())
            code = main(shlex.split(command)[1:])
            assert code == 0, (command, capsys.readouterr())
        places = {
            "rest": rest_server.folder, "ftp": ftp_server.folder, "ftps": ftps.folder / "plants/incoming",
            "sftp": shell.folder / "plants", "webdav": dav.folder / "plants", "xmlrpc": tmp_path / "calls",
        }  # fmt: skip
        assert (shell.folder / f"inside/abq_data_record_{day}.csv").is_file()
        for kind, folder in places.items():
            assert (folder / f"abq_data_record_{day}.csv").read_bytes().startswith(b"Date,Time"), kind
        if bucket is not None:
            name = f"plants/2026/abq_data_record_{day}.csv"
            assert set(bucket.objects()) == {name, f"{name}.sha256"}
        extract = tmp_path / "plants" / f"abq_A_{day}.csv"
        digest = hashlib.sha256(extract.read_bytes()).hexdigest()
        assert extract.with_name(f"{extract.name}.sha256").read_text("utf-8") == f"{digest}  {extract.name}\n"
        beside = ftps.folder / f"plants/incoming/abq_data_record_{day}.csv.sha256"
        assert beside.read_text("utf-8").startswith(digest)
        for statement in blocks(PAGE, "sql"):
            found = stored.query(statement) or []
            went = {str(each["destination"]).partition(":")[0] for each in found if each["state"] == "delivered"}
            assert went == {*places, "folder", *(("s3",) if bucket else ())}
        assert (tmp_path / "views" / f"abq_plot_readings_{day}.xlsx").read_bytes().startswith(b"PK")
