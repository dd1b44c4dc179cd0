"""Kills deliveries all along, at real servers, goes on with each as the next start does, and looks what is there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from abq_data_entry.outbox import Outbox, extract_name
from abq_data_entry.stored_destination import StoredDestination
from tests import programs
from tests.fixtures import xml_rpc_server
from tests.network.fault_runs import Kept, files_in
from tests.network.object_store import object_store
from tests.network.test_jump_host import two_hosts
from tests.outbox.killed import CONTENT, Way, days_of, deliver_due

ROOT = Path(__file__).resolve().parents[2]

Started = AbstractContextManager[tuple[Way, Kept]]


@contextmanager
def _s3(folder: Path) -> Iterator[tuple[Way, Kept]]:
    with object_store() as store:
        yield Way(StoredDestination("archive", "s3", store.url), store.key, store.secret, {}), store.objects


@contextmanager
def _xml_rpc(folder: Path) -> Iterator[tuple[Way, Kept]]:
    with xml_rpc_server.xml_rpc_server(folder / "received") as server:
        to = StoredDestination("archive", "xmlrpc", server.url)
        yield Way(to, xml_rpc_server.USERNAME, xml_rpc_server.PASSWORD, {}), partial(files_in, server.folder)


@contextmanager
def _by_jump_host(folder: Path) -> Iterator[tuple[Way, Kept]]:
    with two_hosts(folder) as hosts:
        way_there = f"ssh://{hosts.jump.username}@127.0.0.1:{hosts.jump.port}"
        to = StoredDestination("archive", "sftp", f"127.0.0.1:{hosts.target.port}", login_address=way_there)
        settings: dict[str, object] = {
            "abq_sftp_known_hosts": str(hosts.known), "abq_sftp_key_file": str(hosts.jump.key_file)
        }  # fmt: skip
        yield Way(to, hosts.target.username, "", settings), partial(files_in, hosts.target.folder)


WAYS: dict[str, Callable[[Path], Started]] = {
    "S3": _s3, "XML-RPC": _xml_rpc, "SFTP by a jump host": _by_jump_host,
}  # fmt: skip
_NEEDS = {"S3": "moto", "SFTP by a jump host": "sshd"}


def ways_here() -> list[str]:
    """Those whose servers can be had on this machine."""
    return [name for name in WAYS if name not in _NEEDS or programs.find(_NEEDS[name]) is not None]


class Seen(NamedTuple):
    """How often a process was killed, in which states it left its deliveries, and what was wrong in the end."""

    kills: int
    states: set[str]
    wrong: list[str]


def kill_all_along(way: Way, kept: Kept, folder: Path, step: int, days: int = 1) -> Seen:
    """Kill one at each `step`-th point; deliver what is left; compare."""
    words = [sys.executable, "-m", "tests.outbox.killed", str(folder), way.text, "1", str(step), str(days)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    last, code = map(int, done.stdout.split())
    if code:
        raise RuntimeError(f"the one that nobody killed ended with {code}: {done.stderr}")
    states, wrong, wanted = set[str](), list[str](), {extract_name(day): CONTENT for day in days_of(0, days)}
    numbers = range(1, last + 1, step)  # the last one came to its end
    for number in numbers:
        own = folder / str(number)
        box = Outbox(own / "outbox")
        left, there = box.deliveries(), kept()
        states |= {each.state for each in left} or {"nothing"}
        told = [each.name for each in left if each.state == "delivered" and there.get(each.name) != CONTENT]
        wrong += [f"{number}: {each} was told as delivered, and isn't" for each in told]
        box.tidy()
        deliver_due(box, way)
        unfinished = [each for each in box.deliveries() if each.state != "delivered"]
        wrong += [f"{number}: {each.name} is {each.state}: {each.reason}" for each in unfinished]
        wanted |= {each.name: CONTENT for each in left}
    found = kept()
    wrong += [f"{name} is missing or cut" for name, content in wanted.items() if found.get(name) != content]
    wrong += [f"{name} is there besides" for name in found.keys() - wanted.keys()]
    return Seen(len(numbers) - 1, states, wrong)
