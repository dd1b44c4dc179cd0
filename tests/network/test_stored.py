"""Destinations of the database at real servers: each kind stores the file, and its digest beside it."""

from __future__ import annotations

import hashlib
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from abq_data_entry import outbox
from abq_data_entry.models.settings import SETTINGS
from abq_data_entry.network.destinations import destination
from abq_data_entry.stored_destination import STORED, StoredDestination
from tests.fixtures.servers import BundledServer
from tests.fixtures.xml_rpc_server import xml_rpc_server

from .certificates import Authority
from .dav_servers import PASSWORD, USERNAME, apache
from .real_servers import sshd, vsftpd


@pytest.mark.needs("network")
@pytest.mark.parametrize("kind", ["rest", "ftp", "ftps", "sftp", "webdav", "xmlrpc"])
def test_each_kind_stores_the_file_with_its_digest(
    kind: str, trusted: Authority, rest_server: BundledServer, ftp_server: BundledServer, tmp_path: Path
) -> None:
    settings: dict[str, object] = {each.name: each.default for each in SETTINGS}
    settings |= {"abq_ca_file": str(trusted.file), "abq_sftp_known_hosts": str(tmp_path / "known_hosts")}
    extract = tmp_path / ("a" * 32) / "extract.csv"
    extract.parent.mkdir()
    extract.write_bytes(b"Date,Time\r\n" * 1000)
    with ExitStack() as running:
        login, folder, url = ("test", "test"), Path(), ""
        if kind == "rest":
            url, folder = rest_server.upload_url, rest_server.folder
        elif kind == "ftp":
            url, folder = f"{ftp_server.host}:{ftp_server.port}", ftp_server.folder
        elif kind == "ftps":
            server = running.enter_context(vsftpd(trusted.issue("127.0.0.1")))
            url, folder, login = f"127.0.0.1:{server.port}", server.folder, (server.username, "x")
        elif kind == "sftp":
            shell = running.enter_context(sshd())
            url, folder, login = f"127.0.0.1:{shell.port}", shell.folder, (shell.username, "")
            settings["abq_sftp_key_file"] = str(shell.key_file)
            (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{shell.port} {shell.host_key}\n")
        elif kind == "xmlrpc":
            called = running.enter_context(xml_rpc_server(tmp_path / "received"))
            url, folder = called.url, called.folder
        else:
            dav = running.enter_context(apache(certificate=trusted.issue("127.0.0.1")))
            url, folder, login = dav.url.rstrip("/"), dav.folder, (USERNAME, PASSWORD)
        inside = "" if kind in ("rest", "ftp", "xmlrpc") else "plants/2026"  # the bundled servers make no folders
        row = StoredDestination("archive", kind, url, folder=inside, checksum=True)
        values = {**settings, STORED: {row.key: row}}
        assert destination(row.key).problem(values) == ""
        send = running.enter_context(outbox.sender(row.key, values, *login))
        send(extract, name="sent as.csv", progress=lambda sent, total: None, cancel=threading.Event())
        there = folder / inside if inside else folder
        assert (there / "sent as.csv").read_bytes() == extract.read_bytes()
        digest = hashlib.sha256(extract.read_bytes()).hexdigest()
        assert (there / "sent as.csv.sha256").read_text() == f"{digest}  sent as.csv\n"


def test_a_destination_counts_as_removed_only_where_the_database_was_asked() -> None:
    settings: dict[str, object] = {each.name: each.default for each in SETTINGS}
    to = destination("sftp:archive")
    row = StoredDestination("archive", "sftp", "files.example.com")
    for stored, removed, words in (
        ({}, False, "The database wasn't asked where the destination archive of the kind sftp is."),
        ({STORED: {}}, True, "The destination archive of the kind sftp was removed from the database."),
        ({STORED: {row.key: row}}, False, ""),
    ):
        values = {**settings, **stored}
        assert (to.is_removed(values), to.problem(values)) == (removed, words)
        if removed:
            with pytest.raises(outbox.OutboxError, match="set aside"):
                outbox.require_same(outbox.Place(to.kind, "files.example.com:22"), values)
        elif words:  # it may be there: nothing is given up
            with pytest.raises(outbox.SettingsUnusable):
                outbox.require_same(outbox.Place(to.kind, "files.example.com:22"), values)
