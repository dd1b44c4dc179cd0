"""Three PostgreSQL servers looked after by Patroni, with etcd: real ones on loopback, in a folder, never installed."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from abq_data_entry import postgres
from abq_data_entry.postgres.cluster import account_for, arguments_for, write_private
from abq_data_entry.postgres.errors import PostgresError
from abq_data_entry.postgres.programs import binaries
from tests import programs
from tests.fixtures.cluster import DATABASE, OWNER, Node, own, wait_until
from tests.fixtures.ports import free_ports

DYNAMIC_SETTINGS: dict[str, object] = {"ttl": 20, "loop_wait": 2, "retry_timeout": 4, "synchronous_mode": True}
"""What the recipe for administrators says too."""
ETCD = {"etcd": ("etcd-server",)}
_PATRONI = ("patroni[etcd3]>=4,<5", "psycopg2-binary")
_HOME = programs.FOLDER / "patroni"
_BOOTSTRAP_SECONDS = 120.0
_INSTALL_SECONDS = 300


class NotToBeHad(Exception):
    """Patroni or etcd can't be had here; the text says why."""


class PatroniCluster:
    """Three nodes, each with a member of etcd; Patroni decides which is the primary, and which its synchronous standby.
    """

    def __init__(self, folder: Path) -> None:
        self._etcd, self._patroni = _etcd(), _patroni()
        self._account, self._folder = account_for(folder), folder
        self._password = secrets.token_hex(16)
        ports = free_ports(12)
        self._rest, self._client, self._peer = ports[3:6], ports[6:9], ports[9:]
        self.nodes = [
            Node(folder / f"node{number}", port, self._account, self._password, binaries())
            for number, port in enumerate(ports[:3], 1)
        ]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def endpoint(self) -> dict[str, str]:
        """The libpq keywords of the cluster: three servers, whichever takes changes."""
        hosts, ports = ",".join(["127.0.0.1"] * 3), ",".join(str(node.port) for node in self.nodes)
        settings = {"db_host": hosts, "db_port": ports, "db_name": DATABASE}
        return {**postgres.server_endpoint(settings), "user": OWNER, "password": self._password}

    def start(self) -> None:
        """Start etcd and the nodes, and wait until all three are one cluster with an empty database."""
        for node in self.nodes:
            own(self._folder / _etcd_of(node))
            self._start_etcd(node)
        for node in self.nodes:
            self.start_node(node)
        self.wait_until_whole()
        self.primary.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        # libpq gives up at a standby that hasn't heard of the database yet.
        there = f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"
        wait_until(lambda: all(node.execute(there) for node in self.nodes), "every node has the database")

    def start_node(self, node: Node) -> None:
        """Start a node's etcd and its Patroni, which starts its server, or brings it back as a standby."""
        if _etcd_of(node) not in self._processes:
            self._start_etcd(node)
        file = self._folder / f"{node.folder.name}.json"  # JSON is YAML
        write_private(file, json.dumps(self._settings(node)), self._account)
        self._run(node.folder.name, [self._patroni, "-m", "patroni", file])

    def kill(self, node: Node) -> None:
        """Kill a node: its etcd, its Patroni and its server, as a power cut does."""
        for name in (_etcd_of(node), node.folder.name):
            process = self._processes.pop(name)
            process.kill()
            process.wait()
        node.kill()

    @property
    def primary(self) -> Node:
        """The node that takes changes now."""
        found = self.find_primary()
        assert found is not None
        return found

    def find_primary(self) -> Node | None:
        """The node that takes changes now, if there is one."""
        for node in self.nodes:
            with suppress(PostgresError):
                if node.execute("SELECT pg_is_in_recovery()") == [(False,)]:
                    return node
        return None

    def wait_until_whole(self) -> None:
        """Wait until both standbys stream, and Patroni has noted in etcd which of them is synchronous.

        Before it is noted there, nobody may be promoted: with its primary such a cluster stands still, by design.
        """
        wait_until(self._whole, "Patroni's cluster is whole", _BOOTSTRAP_SECONDS)

    def _whole(self) -> bool:
        with suppress(OSError, ValueError), urlopen(f"http://127.0.0.1:{self._rest[0]}/cluster", timeout=5) as answer:
            members = json.load(answer)["members"]
            roles = sorted(each["role"] for each in members)
            states = {each["state"] for each in members}
            return roles == ["leader", "replica", "sync_standby"] and states <= {"running", "streaming"}
        return False

    def stop(self) -> None:
        """End all of it."""
        members = {_etcd_of(node) for node in self.nodes}
        for name in sorted(self._processes, key=members.__contains__):  # Patroni first: it would miss etcd
            self._processes[name].kill()
            self._processes[name].wait()
        for node in self.nodes:
            if node.folder.is_dir():
                node.kill()

    def _start_etcd(self, node: Node) -> None:
        names = [_etcd_of(each) for each in self.nodes]
        peers = [f"http://127.0.0.1:{port}" for port in self._peer]
        number = self.nodes.index(node)
        client, peer = f"http://127.0.0.1:{self._client[number]}", peers[number]
        self._run(names[number], [
            self._etcd, "--name", names[number], "--data-dir", self._folder / names[number],
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", ",".join(f"{name}={url}" for name, url in zip(names, peers, strict=True)),
        ])  # fmt: skip

    def _run(self, name: str, command: list[str | Path]) -> None:
        # Where our Python lies below root's home, the servers' user needs the right to reach it.
        arguments, options = arguments_for(command, self._account, binaries(), Path(command[0]).resolve().parent)
        options["cwd"] = self._folder
        with (self._folder / f"{name}.said").open("ab") as said:
            self._processes[name] = subprocess.Popen(arguments, **options, stdout=said, stderr=said)

    def _settings(self, node: Node) -> dict[str, object]:
        number = self.nodes.index(node)
        login = {"username": OWNER, "password": self._password}
        rule = "all all 127.0.0.1/32 scram-sha-256"
        parameters = {"unix_socket_directories": "", "max_connections": 100, "shared_buffers": "32MB"}
        rest = f"127.0.0.1:{self._rest[number]}"
        dynamic = {**DYNAMIC_SETTINGS, "postgresql": {"use_pg_rewind": True, "parameters": parameters}}
        return {
            "scope": "abq",
            "name": node.folder.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"hosts": [f"127.0.0.1:{port}" for port in self._client]},
            "bootstrap": {
                "dcs": dynamic,
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{node.port}",
                "connect_address": f"127.0.0.1:{node.port}",
                "data_dir": str(node.folder),
                "bin_dir": str(binaries()),
                "pgpass": str(self._folder / f"{node.folder.name}.pgpass"),
                "authentication": {"superuser": login, "replication": login, "rewind": login},
                "pg_hba": [f"host {rule}", f"host replication {rule.removeprefix('all ')}"],
            },
        }


@contextmanager
def patroni_cluster(folder: Path) -> Iterator[PatroniCluster]:
    """A running cluster in that folder, ended at the end. Raises NotToBeHad."""
    if sys.platform != "linux":
        raise NotToBeHad("the clusters run on Linux only")
    own(folder)
    made = PatroniCluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _etcd_of(node: Node) -> str:
    """The name of the node's member of etcd."""
    return f"etcd-{node.folder.name}"


def _etcd() -> Path:
    programs.provide(ETCD)
    unpacked = programs.FOLDER / "etcd/usr/bin/etcd"
    found = unpacked if unpacked.is_file() else programs.find("etcd")
    if found is None:
        raise NotToBeHad("etcd is missing (Debian's package etcd-server)")
    return found


def _patroni() -> Path:
    """The Python of an environment of its own that has Patroni."""
    python = _HOME / "bin/python"
    if not python.is_file() or subprocess.run([python, "-c", "import patroni.ha"], capture_output=True).returncode:
        _HOME.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", _HOME], check=True, capture_output=True)
            command: list[str | Path] = [python, "-m", "pip", "install", "--quiet", *_PATRONI]
            subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            raise NotToBeHad("Patroni is missing (PyPI's package patroni)") from error
    return python

