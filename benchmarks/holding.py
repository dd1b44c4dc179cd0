"""How many connections a window holds at a server, at work and left alone, and so how many windows a server carries."""

from __future__ import annotations

import datetime
import sys
import time

from abq_data_entry.application import connection, following
from abq_data_entry.constants import FieldNames as F
from benchmarks import table
from benchmarks.driver import Driver
from benchmarks.options import Options
from benchmarks.outages import logged_in
from tests.fixtures.cluster import Node
from tests.fixtures.single import single_server

MAX_CONNECTIONS, RESERVED = 300, 3  # as in docs/installations.md; for superusers
LIMIT = 4  # connections of a window at work
PLOTS = 5
_HELD = "SELECT count(*)::int FROM pg_stat_activity WHERE datname = 'abq' AND backend_type = 'client backend'"
_IDLE_SECONDS, _LOOK_MS = 2.0, 500  # instead of minutes


def measure(options: Options) -> list[table.Row]:
    """One window: plots saved one after the other, then nobody touches it; counted in `pg_stat_activity`."""
    if sys.platform != "linux":
        return [table.not_measured("holding", "the servers of the benchmarks run on Linux only")]
    with single_server() as node, logged_in(options, node) as driver:
        at_work = _at_work(driver, node)
        connection.IDLE_SECONDS, usual = _IDLE_SECONDS, connection.IDLE_SECONDS
        looks, connection.LOOK_MS = connection.LOOK_MS, _LOOK_MS
        try:
            driver.app.idle_connections.look()
            shown = _settled(driver, node)
            # Ten minutes after the last key nobody is shown here any more.
            driver.app.presence.now = lambda: time.monotonic() + following.IDLE_SECONDS + 1
            alone = _settled(driver, node)
        finally:
            connection.IDLE_SECONDS, connection.LOOK_MS = usual, looks
    carried = f"windows that max_connections = {MAX_CONNECTIONS} carries"
    left = MAX_CONNECTIONS - RESERVED
    minutes = f"{usual / 60:.0f} minutes"
    return [
        table.row("connections of a window at work, the most", "", [max(at_work)], LIMIT),
        table.row(f"connections of a window {minutes} after the last key", "", [shown]),
        table.row("connections of a window that is left alone", "", [alone], 1),
        table.row(f"{carried}, all at work at once", "", [left // max(at_work)]),
        table.row(f"{carried}, all left alone", "", [left // alone]),
    ]


def _at_work(driver: Driver, node: Node) -> list[int]:
    app, found = driver.app, []
    app.form.set_check(datetime.date.today(), "8:00", "A")
    driver.until(lambda: app.form.check.known, "the check")
    driver.fill({F.TECHNICIAN: "J Simms"})
    for _ in range(PLOTS):
        driver.fill({
            F.SEED_SAMPLE: "AXM477", F.HUMIDITY: "24.09", F.LIGHT: "1.03", F.TEMPERATURE: "22.01", F.PLANTS: "9",
            F.BLOSSOMS: "21", F.FRUIT: "3", F.MIN_HEIGHT: "1.67", F.MAX_HEIGHT: "8.70", F.MEDIAN_HEIGHT: "2.73",
        })  # fmt: skip
        app.callbacks["save_record"]()
        found.append(_held(node))
        driver.until(lambda: not app.form.saving, "the save")
        found.append(_held(node))
    driver.settle()
    return [*found, _held(node)]


def _settled(driver: Driver, node: Node) -> int:
    """The number once it doesn't change for longer than it takes to notice that a connection is idle."""
    held, since = _held(node), time.monotonic()
    while time.monotonic() - since < 3 * _IDLE_SECONDS:
        driver.until(lambda: True, "")
        driver.app.tk.dooneevent(0)
        now = _held(node)
        if now != held:
            held, since = now, time.monotonic()
    return held


def _held(node: Node) -> int:
    return int(str(node.execute(_HELD)[0][0]))
