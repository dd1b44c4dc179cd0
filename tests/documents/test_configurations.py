"""Settings that the documents print, ours and those of other programs, are taken by the real programs as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from abq_data_entry.models import SETTINGS, SettingsModel
from abq_data_entry.network import upload_to_corporate_ftp, upload_to_corporate_sftp
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.webdav import WebDavUploads
from tests.fixtures.disks import small_disk
from tests.network.certificates import authority
from tests.network.dav_servers import PASSWORD as DAV_PASSWORD
from tests.network.dav_servers import USERNAME, apache, nginx
from tests.network.real_servers import PASSWORD, names_of_user_and_group, proftpd, sshd, vsftpd
from tests.test_documents import ADMINISTRATORS, DOCUMENTS, ROOT, blocks

RECIPES = ROOT / "docs/installations.md"
OTHERS = {
    "write_enable": "test_vsftpd",
    "TLSEngine": "test_proftpd",
    "Match User": "test_openssh",
    "<Directory": "test_apache",
    "location /lab/": "test_nginx",
    "[Unit]": "test_units_of_systemd",
    "module(load=": "tests/log_targets/test_rsyslog.py",
    "listen_addresses": "tests/test_installations.py",
    "hostssl": "tests/test_installations.py",
    "scope: abq": "tests/test_installations.py",
    "ETCD_NAME": "not run: three machines; benchmarks/patroni_cluster.py starts etcd with the same names",
}
"""How each begins that isn't ours, and what tries it."""


def lines_of(beginning: str, document: Path = ADMINISTRATORS) -> str:
    """The block that begins so."""
    (found,) = [each for each in blocks(document, "conf") if each.lstrip().startswith(beginning)]
    return found


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    made = tmp_path / "abq_data_record_2026-11-21.csv"
    made.write_text("Date\r\n", "utf-8")
    return made


def test_every_setting_of_another_program_is_tried_or_named() -> None:
    found = [block for document in DOCUMENTS for kind in ("conf", "ini", "yaml") for block in blocks(document, kind)]
    for block in found:
        assert [each for each in OTHERS if block.lstrip().startswith(each)], block
    for beginning in OTHERS:
        assert any(block.lstrip().startswith(beginning) for block in found), beginning


@pytest.mark.parametrize(
    "example", [block for document in DOCUMENTS for block in blocks(document, "json")]
)
def test_our_settings(example: str, tmp_path: Path) -> None:
    (tmp_path / "abq_settings.json").write_text(example, encoding="utf-8")
    read = SettingsModel("abq_settings.json", tmp_path)
    assert (read.problems, list(read.doubts)) == ([], [])
    assert {name: read[name] for name in json.loads(example)} == {
        name: entry["value"] for name, entry in json.loads(example).items()
    }


def test_vsftpd(extract: Path, tmp_path: Path) -> None:
    trusted = authority("laboratory", tmp_path)
    lines = lines_of("write_enable").splitlines()
    with vsftpd(trusted.issue("localhost"), *lines) as server:
        upload_to_corporate_ftp(extract, "localhost", server.port, server.username, "any", security="explicit",
                                ca_file=str(trusted.file))  # fmt: skip
        assert (server.folder / extract.name).read_bytes() == extract.read_bytes()


def test_proftpd(extract: Path, tmp_path: Path) -> None:
    trusted = authority("laboratory", tmp_path)
    with proftpd(trusted.issue("localhost"), *lines_of("TLSEngine").splitlines()) as server:
        for _ in range(2):  # AllowOverwrite
            upload_to_corporate_ftp(extract, "localhost", server.port, server.username, PASSWORD, security="explicit",
                                    ca_file=str(trusted.file))  # fmt: skip
        assert "RNTO" in server.commands
        assert (server.folder / extract.name).read_bytes() == extract.read_bytes()


def test_openssh(extract: Path, folder: Path) -> None:
    """The user and the folder are the test's own; of two `ForceCommand` the one below `Match` holds."""
    incoming = folder / "incoming"
    incoming.mkdir()
    incoming.chmod(0o777)
    lines = lines_of("Match User").replace("lab-a", names_of_user_and_group()[0])
    with sshd(*lines.replace("-d /incoming", f"-d {incoming}").splitlines()) as server:
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n", "utf-8")
        upload_to_corporate_sftp(extract, "127.0.0.1", server.port, server.username, "", known_hosts=known,
                                 key_file=server.key_file)  # fmt: skip
    assert (incoming / extract.name).read_bytes() == extract.read_bytes()


def our_values(setting: str, **replaced: str) -> dict[str, object]:
    """All settings, with those of the example that names this one, and the places that a test has instead."""
    (example,) = [each for each in blocks(ADMINISTRATORS, "json") if f'"{setting}"' in each]
    for name, text in replaced.items():
        example = example.replace(json.loads(example)[name]["value"], text)
    return {each.name: each.default for each in SETTINGS} | {
        name: entry["value"] for name, entry in json.loads(example).items()
    }


def test_apache(extract: Path, tmp_path: Path) -> None:
    trusted = authority("laboratory", tmp_path)
    with apache(certificate=trusted.issue("127.0.0.1"), block=lines_of("<Directory")) as server:
        values = our_values("abq_webdav_url", abq_webdav_url=server.url, abq_ca_file=str(trusted.file))
        with destination("webdav").uploads(values, USERNAME, DAV_PASSWORD) as uploads:
            uploads.upload(extract)
        assert (server.folder / "incoming" / extract.name).read_bytes() == extract.read_bytes()


def test_nginx(extract: Path) -> None:
    extract.write_bytes(b"x" * 2_000_000)  # more than nginx takes by itself
    with nginx(block=lines_of("location /lab/")) as server:
        (server.folder / "lab").mkdir()
        (server.folder / "lab").chmod(0o777)
        with WebDavUploads(f"{server.url}lab/", "", USERNAME, DAV_PASSWORD, timeout=20) as uploads:
            uploads.upload(extract)
        assert (server.folder / "lab" / extract.name).read_bytes() == extract.read_bytes()


def test_shared_folder(extract: Path, tmp_path: Path) -> None:
    share = tmp_path / "share"
    (share / "incoming").mkdir(parents=True)
    values = our_values("abq_folder_path", abq_folder_mount=str(share))
    with small_disk(share, "1m"):
        (share / "incoming").mkdir()
        with destination("folder").uploads(values, "", "") as uploads:
            uploads.upload(extract)
        assert (share / "incoming" / extract.name).read_bytes() == extract.read_bytes()


def test_units_of_systemd(tmp_path: Path) -> None:
    service, timer = (block for block in blocks(ADMINISTRATORS, "ini") if block.startswith("[Unit]"))
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze isn't here")
    command = tmp_path / "abq-data-entry"
    command.write_text("#!/bin/sh\n", "utf-8")
    command.chmod(0o755)
    (tmp_path / "abq-backup.service").write_text(service.replace("/usr/local/bin/abq-data-entry", str(command)))
    (tmp_path / "abq-backup.timer").write_text(timer)
    for name in ("abq-backup.service", "abq-backup.timer"):
        done = subprocess.run([verifier, "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True,
                              env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}, check=False)  # fmt: skip
        assert done.returncode == 0 and not re.search(r"abq-backup\.\w+:", done.stderr), done.stderr
    asked = subprocess.run([verifier, "calendar", "*-*-* 21:30"], capture_output=True, text=True, check=False)
    assert "OnCalendar=*-*-* 21:30" in timer and "21:30:00" in asked.stdout
