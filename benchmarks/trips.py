"""How much of the package somebody meets who follows one command from the key until the window shows that it is done.

Real parts: the window, a PostgreSQL server on TCP, the bundled REST server. Each trip is gone once before it is
recorded, so that what is made or imported once doesn't count.
"""

from __future__ import annotations

import datetime
import gc
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views import Dialog
from abq_data_entry.views.conflict import ConflictDialog
from abq_data_entry.views.dialogs import LoginDialog
from benchmarks import dataset, table
from benchmarks.driver import Driver
from benchmarks.frames import Frames, Recorder
from benchmarks.options import Options
from benchmarks.outages import logged_in
from tests.fixtures.cluster import Node
from tests.fixtures.servers import BundledServer, bundled_server
from tests.fixtures.single import single_server

MOST_ROUNDS = 5  # as many as the plots of a lab are enough for
QUIET = 2.5  # seconds until timers have done what they still had to do, such as a look at the last days
LIMITS = {
    "online save": (24, 117),
    "delivery by REST": (35, 216),
    "a save kept offline": (26, 140),
    "replay": (41, 224),
    "conflict": (28, 160),
}
"""Files and functions at most: half of what was counted before the trips were to become shorter."""

_LOGIN = ("test", "test")
Kind = TypeVar("Kind", bound=Dialog)


def measure(options: Options) -> list[table.Row]:
    """All trips; four rows each."""
    if not hasattr(measure.__code__, "co_qualname"):
        return [table.not_measured("trips", "code has no qualified names before Python 3.11")]
    recorder = Recorder()
    logging.getLogger("abq_data_entry").addHandler(logging.NullHandler())  # the outage is meant
    with ExitStack() as stack:
        node = stack.enter_context(single_server())
        server = stack.enter_context(_rest_server())
        gc.disable()
        driver = stack.enter_context(logged_in(options, node, collects=False))
        there = SQLModel.at(node.endpoint())
        stack.callback(there.close)
        trips = _Trips(driver, recorder, node, there, server)
        rounds = range(1 + min(options.runs, MOST_ROUNDS))
        for number in rounds:
            trips.go_online(number)
        trips.open_check("B")
        for _ in rounds:  # afterwards: each outage ends connections, which the next delivery would open again
            trips.go_offline()
        return [row for name, rounds in trips.rounds.items() for row in _rows(name, rounds[1:])]


def _rows(name: str, rounds: list[Frames]) -> Iterator[table.Row]:
    files, functions = LIMITS[name]
    yield table.row(f"{name}: files", "", [len(each.files) for each in rounds], files)
    yield table.row(f"{name}: functions", "", [len(each.functions) for each in rounds], functions)
    yield table.row(f"{name}: classes", "", [len(each.classes) for each in rounds])
    threads = ", ".join(sorted(each.name for each in rounds[-1].threads))
    yield table.row(f"{name}: threads", "", [len(each.threads) for each in rounds], remark=threads)


class _Trips:
    """Goes the trips in the window; `rounds` has what ran in each, the first time to the last."""

    def __init__(
        self, driver: Driver, recorder: Recorder, node: Node, there: SQLModel, server: BundledServer
    ) -> None:
        self._driver, self._app = driver, driver.app
        self._recorder, self._node, self._there = recorder, node, there
        self.rounds: dict[str, list[Frames]] = {}
        self._app.settings["abq_auth_url"].set(server.auth_url)
        self._app.settings["abq_upload_url"].set(server.upload_url)
        driver.until(lambda: "abq_data_entry.network.rest" in sys.modules, "what is loaded after a start")
        self._form = driver.app.form
        self.open_check("A")

    def open_check(self, lab: str) -> None:
        """Begin with the first plot of that lab."""
        self._driver.settle()
        self._numbers = iter(range(20))
        check = (datetime.date.today(), "8:00", lab)
        self._form.set_check(*check)
        self._until(lambda: self._form.check.known and self._form.check.key == check, "the check")
        self._driver.fill({F.TECHNICIAN: "J Simms"})

    def go_online(self, number: int) -> None:
        """Go those that need the database, one after the other."""
        self._fill_next()
        self._save()  # after a correction the form reads technician and lists anew, once
        self._fill_next()
        self._rest()
        with self._recorded("online save"):
            self._save()
        self._deliver()
        self._change_what_another_changes(number)

    def go_offline(self) -> None:
        """Go those that begin while it is away."""
        self._lose_the_database()
        self._fill_next()
        self._rest()
        with self._recorded("a save kept offline"):
            self._save()
        self._rest()
        self._node.start()  # the window, which hasn't seen it yet, looks at once
        with self._recorded("replay"):
            self._app.reconnecting.retry_now()
            app = self._app
            self._until(lambda: not app.waiting_records.entries and not app.status_bar.trouble, "the replay")

    def _deliver(self) -> None:
        self._driver.settle()
        if "delivery by REST" not in self.rounds:  # the login is asked for once
            self._app.callbacks["upload_to_corporate_rest"]()
            dialog = self._dialog(LoginDialog)
            dialog.username.set(_LOGIN[0])
            dialog.password.set(_LOGIN[1])
            dialog.buttons[0].invoke()
            self._until(self._is_uploaded, "the first delivery")
            self._fill_next()
            self._save()
        self._rest()
        upload = self._app.callbacks["upload_to_corporate_rest"]
        assert not self._is_uploaded(), "the status of the delivery before"
        with self._recorded("delivery by REST"):
            upload()
            self._until(self._is_uploaded, "the delivery")

    def _is_uploaded(self) -> bool:
        return "successfully uploaded" in self._app.status.get()

    def _change_what_another_changes(self, number: int) -> None:
        """Both change the same field of the first record."""
        self._app.navigation.go_to_plot(1)
        self._until(lambda: self._form.opened is not None and self._form.opened[3] == 1, "the record")
        self._driver.fill({F.PLANTS: str(2 * number + 1)})
        theirs = {**dataset.record(0), F.PLANTS: str(2 * number + 2)}
        self._there.save_record(theirs, author="P Taylor", workstation="bench-2")
        self._rest()
        with self._recorded("conflict"):
            self._form.submit()
            dialog = self._dialog(ConflictDialog)
            dialog.take_all("mine")
            dialog.buttons[0].invoke()
            self._until(lambda: not dialog.winfo_exists() and not self._form.saving, "the save")

    def _lose_the_database(self) -> None:
        """Stop the server and save one record, so that the window knows."""
        self._fill_next()
        self._node.stop()
        self._save()
        self._until(lambda: self._app.waiting_records.entries and self._app.reconnecting.away, "the window to notice")

    def _fill_next(self) -> None:
        number, plot = next(self._numbers), self._form.inputs[F.PLOT]
        self._driver.settle()
        if self._form.opened is not None or plot.text != str(number + 1):
            self._app.navigation.go_to_plot(number + 1)
        self._until(lambda: plot.text == str(number + 1) and self._form.opened is None, "the next plot")
        head = (F.DATE, F.TIME, F.LAB, F.TECHNICIAN, F.PLOT)
        self._driver.fill({name: text for name, text in dataset.record(number).items() if name not in head})

    def _save(self) -> None:
        saved = self._app.shared.saved_records
        self._form.submit()
        self._until(lambda: self._app.shared.saved_records > saved and not self._form.saving, "the save")

    def _rest(self) -> None:
        gc.collect()  # here, for Python's memory is no part of a trip
        end = time.monotonic() + QUIET
        self._until(lambda: time.monotonic() >= end, "what follows the steps before")
        self._driver.settle()

    @contextmanager
    def _recorded(self, name: str) -> Iterator[None]:
        with self._recorder.recorded() as frames:
            yield
        self.rounds.setdefault(name, []).append(frames)

    def _dialog(self, kind: type[Kind]) -> Kind:
        def found() -> Kind | None:
            return next((each for each in self._app.winfo_children() if isinstance(each, kind)), None)

        self._until(lambda: (dialog := found()) is not None and dialog.takes_keys, "the dialog")
        dialog = found()
        assert dialog is not None
        return dialog

    def _until(self, condition: Callable[[], object], what: str) -> None:
        self._driver.until(condition, what, 60.0)


@contextmanager
def _rest_server() -> Iterator[BundledServer]:
    with tempfile.TemporaryDirectory(prefix="abq-trips-") as folder:
        options = ("--print-limit", "4096", "--username", _LOGIN[0], "--save-to", f"{folder}/received")
        secret = {"ABQ_SERVER_PASSWORD": _LOGIN[1]}
        with bundled_server(
            "sample_http_server.py", *options, workspace=Path(folder), environment=secret
        ) as server:
            yield server
