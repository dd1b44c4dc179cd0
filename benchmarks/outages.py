"""Whole plots typed without a look at the window, at 40 keys a second, while the database freezes and comes back."""

from __future__ import annotations

import datetime
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from abq_data_entry import garbage
from abq_data_entry.application import Application
from abq_data_entry.constants import CHECK_TIMES
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views import LoginDialog
from abq_data_entry.views.typed_keys import LONGEST_MS
from benchmarks import table
from benchmarks.driver import Driver
from benchmarks.keyboard import Keyboard
from benchmarks.options import Options, environment
from tests.fixtures.cluster import DATABASE, OWNER, Node, frozen
from tests.fixtures.outages import KEYS_A_SECOND, differences, keys_of, readings, type_blindly
from tests.fixtures.single import single_server

SHORTEST, LONGEST = 2.0, 12.0  # seconds that an outage takes
LABS = "ABCDE"
SEED = 20261126


@dataclass
class Counts:
    """What was typed, and what became of it."""

    plots: int = 0
    away: int = 0
    wrong: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)


def measure(options: Options) -> list[table.Row]:
    """A check of a lab an outage; with `outage_plots` plots, all of a lab's to begin with."""
    if sys.platform != "linux":
        return [table.not_measured("outages", "processes are stopped and keys pressed on Linux only")]
    chance, counts = random.Random(SEED), Counts()
    outages = f"{options.outages} outage{'s' * (options.outages != 1)}"
    with single_server() as node, logged_in(options, node) as driver:
        there = SQLModel.at(node.endpoint())
        try:
            for turn in range(options.outages):
                print(f"Outage {turn + 1} of {options.outages} …", file=sys.stderr, flush=True)
                _type_through_an_outage(driver, node, there, turn, chance, counts, options.outage_plots)
            blocked = driver.blocked(f"plots typed through {outages}")
        finally:
            there.close()
    for each in (*counts.wrong, *counts.set_aside):
        print(each, file=sys.stderr)
    what = f"{counts.plots} plots typed at {KEYS_A_SECOND} keys/s through {outages}"
    noticed = f"the window said so at {counts.away}"
    return [
        table.row(f"{what}: values that aren't what was typed", "", [len(counts.wrong)], 0, noticed),
        table.row(f"{what}: plots whose keys weren't typed where they belong", "", [len(counts.set_aside)], 0),
        blocked,
    ]


def _type_through_an_outage(
    driver: Driver, node: Node, there: SQLModel, turn: int, chance: random.Random, counts: Counts, number: int
) -> None:
    app, today = driver.app, datetime.date.today()
    time_of_day, lab = CHECK_TIMES[turn // len(LABS) % len(CHECK_TIMES)], LABS[turn % len(LABS)]
    plots = [readings(chance) for _ in range(number)]
    keys = keys_of(plots)
    seconds = chance.uniform(SHORTEST, LONGEST)
    app.form.set_check(today, time_of_day, lab)
    driver.until(lambda: app.form.check.known, "the check")
    driver.fill({F.TECHNICIAN: "J Simms"})
    app.form.focus_first_empty()
    driver.settle()
    hand = type_blindly(keys)
    _wait(driver, chance.uniform(0.0, len(keys) / KEYS_A_SECOND / 2))
    with frozen(node):
        _wait(driver, seconds)
        counts.away += "Database away" in app.status_bar.trouble
    driver.until(lambda: hand.poll() is not None, "the last key")
    driver.until(lambda: not app.form.saving and not app.form.type_ahead.is_busy, "the last save")
    driver.until(lambda: not app.status_bar.trouble, "the database")
    # Who goes to the next check has looked up: a key in the rhythm of those before would belong to what they were for.
    _wait(driver, 2 * LONGEST_MS / 1000)
    driver.settle()
    where = f"{today} {time_of_day} lab {lab}"
    if app.form.type_ahead.line.is_shown:
        counts.set_aside.append(f"{where}: {app.form.type_ahead.line.title} {app.form.type_ahead.line.text}")
        app.form.type_ahead.line.buttons["Discard"].invoke()
    with driver.aside():
        for plot, typed in enumerate(plots, 1):
            stored = there.get_record(str(today), time_of_day, lab, plot)
            counts.wrong += [f"{where} plot {plot}: {each}" for each in differences(typed, stored)]
    counts.plots += len(plots)


def _wait(driver: Driver, seconds: float) -> None:
    end = time.monotonic() + seconds
    driver.until(lambda: time.monotonic() >= end, "the moment")


@contextmanager
def logged_in(options: Options, node: Node, collects: bool = True) -> Iterator[Driver]:
    """A window that is logged in to that server. `collects`: its garbage by a timer, as the application does."""
    os.environ.update(environment(options, DATABASE))
    values = {"db_host": "127.0.0.1", "db_port": str(node.port), "db_name": DATABASE}
    settings = {name: {"type": "str", "value": value} for name, value in values.items()}
    Path(os.environ["ABQ_CONFIG_DIR"], "abq_settings.json").write_text(json.dumps(settings), encoding="utf-8")
    application = Application()
    if collects:
        garbage.collect_on_tk_thread(application)
    keyboard = Keyboard(options.display)
    driver = Driver(application, keyboard)
    try:
        driver.until(lambda: any(each.winfo_viewable() for each in _logins(application)), "the login")
        (dialog,) = _logins(application)
        dialog.username.set(OWNER)
        dialog.password.set(node.endpoint()["password"])
        dialog.buttons[0].invoke()
        driver.until(lambda: application.data_model is not None and application.form.choices.get(F.LAB), "the database")
        driver.until(lambda: application.focus_displayof() is not None, "the focus")
        driver.settle()
        driver.blocked()
        yield driver
    finally:
        keyboard.close()
        application.end()


def _logins(application: Application) -> list[LoginDialog]:
    return [each for each in application.winfo_children() if isinstance(each, LoginDialog)]
