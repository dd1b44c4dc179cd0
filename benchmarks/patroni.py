"""The primary of three nodes killed under load, the rest left to Patroni and etcd."""

from __future__ import annotations

import sys
import time

from abq_data_entry.models import schema
from benchmarks import table
from benchmarks.failover import LOAD_SECONDS, rows, wait_for_saves, workstations
from benchmarks.options import Options
from benchmarks.patroni_cluster import NotToBeHad, PatroniCluster, patroni_cluster
from tests.fixtures.cluster import Node, wait_until


def measure(options: Options) -> list[table.Row]:
    """A node is killed with all its processes; Patroni promotes another one, and takes the killed one back."""
    try:
        with patroni_cluster(options.folder / "patroni") as servers:
            return _measure(servers, options)
    except NotToBeHad as reason:
        return [table.not_measured("patroni", str(reason))]


def _measure(servers: PatroniCluster, options: Options) -> list[table.Row]:
    schema.prepare(servers.endpoint())
    with workstations(servers.endpoint(), options.folder) as entering:
        first, all_of_them, without = [], [], []
        for turn in range(options.kills):
            print(f"Killing the primary, {turn + 1} of {options.kills} …", file=sys.stderr, flush=True)
            time.sleep(LOAD_SECONDS)
            killed, began = servers.primary, time.monotonic()
            servers.kill(killed)
            promoted = _wait_for_another(servers, killed)
            saves = wait_for_saves(entering, promoted)
            first.append(min(saves) - promoted)
            all_of_them.append(max(saves) - promoted)
            without.append(promoted - began)
            servers.start_node(killed)
            servers.wait_until_whole()
    what = f"Patroni, three nodes, primary killed {options.kills} times"
    notice = table.row(f"{what}: until Patroni has promoted", "s", without, remark="ttl 20 s, loop_wait 2 s")
    return [*rows(what, servers.endpoint(), entering, first, all_of_them), notice]


def _wait_for_another(servers: PatroniCluster, killed: Node) -> float:
    wait_until(lambda: servers.find_primary() not in (None, killed), "Patroni has promoted another node", 120.0)
    return time.monotonic()
