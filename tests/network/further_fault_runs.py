"""The fault runs of the destinations whose files lie in no folder, and of FTP that is encrypted; and all runs."""

from __future__ import annotations

import csv
import datetime
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from abq_data_entry.fields import CSV_HEADER
from abq_data_entry.network import FtpUploads, Uploads
from abq_data_entry.network.brapi import BrapiUploads
from abq_data_entry.network.destination import LoginMethod
from abq_data_entry.outbox import extract_name
from abq_data_entry.stored_destination import StoredDestination
from tests import programs
from tests.fixtures import brapi_server as brapi
from tests.fixtures.xml_rpc_server import PASSWORD, USERNAME, xml_rpc_server
from tests.network import mail_server as mail
from tests.network.certificates import authority
from tests.network.fault_proxy import ADDRESS, Fault, FaultProxy
from tests.network.fault_runs import OLDER, Kept, Run, files_in, sender_of
from tests.network.faults import serving
from tests.network.object_store import object_store
from tests.network.proxied_servers import behind_the_proxy
from tests.network.relays import REST_FAULTS, Turns, http_relay

_HANDSHAKE = 1.0  # seconds that a login with TLS may take on a busy machine

Started = Iterator[tuple[Kept, Callable[[], Uploads]]]


@contextmanager
def _xml_rpc(turns: Turns, workspace: Path, patience: float) -> Started:
    with (
        xml_rpc_server(workspace / "received") as server,
        serving(http_relay(server.server_address[1], turns, rb"POST ")) as port,
    ):
        row = StoredDestination("archive", "xmlrpc", f"http://127.0.0.1:{port}/RPC2")
        yield partial(files_in, server.folder), sender_of(row, USERNAME, PASSWORD, patience)


@contextmanager
def _s3(turns: Turns, workspace: Path, patience: float) -> Started:
    with object_store() as store, serving(http_relay(store.port, turns)) as port:
        row = StoredDestination("archive", "s3", f"http://127.0.0.1:{port}/lab")
        yield store.objects, sender_of(row, store.key, store.secret, max(patience, _HANDSHAKE))


_HUMIDITY = CSV_HEADER.index("Humidity")
_READINGS = ["24.09", "1.00", "22.5", "false", "4", "7", "0", "9.2", "28", "12.5"]


def _day_of_one_plot(date: datetime.date) -> bytes:
    """An extract with one record, unlike that of any other day."""
    values = [str(date), "8:00", "J Simms", "A", "1", "AXM477", *_READINGS, ""]
    values[_HUMIDITY] = f"{20 + date.toordinal() % 700 / 100:.2f}"
    text = io.StringIO(newline="")
    csv.writer(text).writerows([CSV_HEADER, values])
    return text.getvalue().encode()


def _observed(server: brapi.BrapiServer) -> dict[str, bytes]:
    """The days that the server has as they were sent; another content for one that it has otherwise, or twice."""
    count = Counter(
        (each["externalReferences"][0]["referenceId"], each["observationVariableDbId"]) for each in server.observations
    )
    doubled = {reference[:10] for (reference, _), number in count.items() if number > 1}
    days: dict[str, set[tuple[str, str]]] = {}
    for (reference, name), value in server.values().items():
        days.setdefault(reference[:10], set()).add((name, value))
    found = {}
    for day, values in days.items():
        date = datetime.date.fromisoformat(day)
        content = _day_of_one_plot(date)
        sent = list(csv.reader(io.StringIO(content.decode(), newline="")))[1]
        wanted = {(name, value) for name, value in zip(CSV_HEADER[6:], sent[6:], strict=True) if value}
        found[extract_name(date)] = content if values == wanted and day not in doubled else b"otherwise"
    return found


@contextmanager
def _brapi(turns: Turns, workspace: Path, patience: float) -> Started:
    with brapi.brapi_server() as server:
        port = int(server.url.split(":")[2].split("/")[0])
        with serving(http_relay(port, turns, rb"POST \S*/observations ")) as faulty:
            url = f"http://127.0.0.1:{faulty}/brapi/v2"
            login = (url, f"{url}/token", brapi.USERNAME, brapi.PASSWORD)
            kept, limit = workspace / "brapi.sqlite", max(patience, _HANDSHAKE)
            yield (
                partial(_observed, server),
                lambda: BrapiUploads(*login, login_method=LoginMethod("token"), timeout=limit, kept=kept),
            )


_WITHIN = 1000  # bytes of a connection for data: after the greetings of TLS, and before the end of a small file
_OF_FTPS = {
    "cut in the file": Fault("cut", _WITHIN, data=True), "reset in the file": Fault("reset", _WITHIN, data=True),
    "silent in the file": Fault("stall", _WITHIN, data=True), "all is lost": Fault("lose", _WITHIN, data=True),
    "no connection": Fault("refuse", data=True), "reset in the greeting": Fault("reset", 200, data=True),
}  # fmt: skip


@contextmanager
def _ftps(turns: Turns, workspace: Path, patience: float) -> Started:
    trusted = authority("laboratory", workspace)
    with behind_the_proxy("vsftpd", trusted, workspace) as server:
        row = StoredDestination("archive", "ftps", f"{ADDRESS}:{server.arguments[1]}")
        user, password = str(server.arguments[2]), str(server.arguments[3])
        opened = sender_of(row, user, password, max(patience, _HANDSHAKE), abq_ca_file=str(trusted.file))

        def faulty() -> Uploads:
            uploads = opened()
            assert isinstance(uploads, FtpUploads)
            uploads.__class__ = _FaultyFtps
            assert isinstance(uploads, _FaultyFtps)
            uploads.proxy, uploads.turns = server.proxy, turns
            return uploads

        yield server.files, faulty


class _FaultyFtps(FtpUploads):
    """Tells the proxy, which can't read what it carries, that the next file begins."""

    proxy: FaultProxy
    turns: Turns

    def upload(self, filepath: str | os.PathLike[str], **options: Any) -> None:
        """Send the file; the proxy knows what is to happen to it."""
        fault = self.turns.next()
        self.proxy.faults[:] = [Fault(**vars(_OF_FTPS[fault]))] if fault else []
        super().upload(filepath, **options)


@contextmanager
def _email(turns: Turns, workspace: Path, patience: float) -> Started:
    trusted = authority("laboratory", workspace)
    with mail.mail_server(trusted.issue("127.0.0.1")) as (port, letters):
        letters.fault = turns.next
        row = StoredDestination("archive", "email", "qa@example.com", login_address=f"smtp://127.0.0.1:{port}")
        more = {"abq_ca_file": str(trusted.file), "abq_mail_from": "lab@example.com"}
        opened = sender_of(row, mail.USERNAME, mail.PASSWORD, max(patience, _HANDSHAKE), **more)
        yield partial(_received, letters), opened


def _received(letters: mail.Letters) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for message in letters.messages():
        (attached,) = message.iter_attachments()
        name, content = str(attached.get_filename()), attached.get_content()
        found[f"{name} again" if name in found else name] = content if isinstance(content, bytes) else content.encode()
    return found


RUNS = {
    **OLDER,
    "ftps": Run(tuple(_OF_FTPS), _ftps),
    "brapi": Run(REST_FAULTS, _brapi, _day_of_one_plot),
    "xmlrpc": Run(REST_FAULTS, _xml_rpc),
    "s3": Run(REST_FAULTS, _s3),
    "email": Run(("451", "lost", "cut", "frozen"), _email, once=True),
}
_NEEDS = {"webdav": "apache2", "sftp": "sshd", "ftps": "vsftpd", "s3": "moto"}


def kinds_here() -> list[str]:
    """The kinds whose servers can be had on this machine."""
    return [kind for kind in RUNS if kind not in _NEEDS or programs.find(_NEEDS[kind]) is not None]
