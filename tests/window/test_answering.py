"""Whatever a server does, the window handles events, Cancel acts at once, and the outbox says what happened."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.models import SQLModel
from abq_data_entry.outbox import Delivery, Outbox
from abq_data_entry.views import LoginDialog
from abq_data_entry.views.deliveries import DeliveriesWindow
from tests.fixtures.window import Window
from tests.network.faults import Connection, Ftp, Script, http, serving
from tests.outbox.test_faults import FTP_FAULTS, REST_FAULTS, Store
from tests.window.test_deliveries import deliveries_window, press
from tests.window.test_form import record
from tests.window.test_tools import FTP_TITLE, REST_TITLE, TODAY, log_in, point_to, press_cancel, running_lines

TICK_MS = 20
AT_ONCE = 0.5  # seconds in which a cancel acts
PATIENCE = 1  # seconds that the protocols wait for a server that is silent
TITLES = {"REST": REST_TITLE, "FTP": FTP_TITLE}

REST_CHOSEN = (
    "silent at the login", "login 401", "login 429", "not HTTP", "reset after 300000 bytes", "stall after 1000 bytes",
    "stored, then reset", "stored, then silent", "413", "503", "302", "307 to another host", "login page with 200",
)  # fmt: skip
FTP_CHOSEN = (
    "no greeting", "another service", "wrong password", "silent at the login", "no data connection",
    "disk full for now", "name refused", "both connections cut", "stall in the middle", "short, though 226",
    "552 after all",
)  # fmt: skip


class Ticking:
    """A timer of the Tk thread; counts its ticks, and the keys that were handled, while a command runs."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.ticks = 0
        self._timer = window.app.after(TICK_MS, self._tick)

    def stop(self) -> None:
        self._window.app.after_cancel(self._timer)

    def _tick(self) -> None:
        self.ticks += 1
        self._timer = self._window.app.after(TICK_MS, self._tick)


@pytest.fixture
def ticking(window: Window) -> Iterator[Ticking]:
    made = Ticking(window)
    yield made
    made.stop()


@pytest.fixture
def short_waits(window: Window) -> None:
    """Servers that never answer are given up soon, not after a minute."""
    point_to(window, network_timeout=PATIENCE)


def deliveries() -> list[Delivery]:
    return Outbox(Path(os.environ["ABQ_DATA_DIR"]) / "outbox").deliveries()


def state() -> str:
    """Of the newest delivery."""
    return next((each.state for each in reversed(deliveries())), "")


def begin(window: Window, stored: SQLModel, name: str, port: int) -> None:
    if not stored.get_all_records():
        stored.save_record(record(1, str(TODAY)))
        stored.query("UPDATE plot_checks SET notes = repeat('many words ', 60000)")
    url = f"http://127.0.0.1:{port}/"
    point_to(window, abq_auth_url=url, abq_upload_url=url, abq_ftp_host="127.0.0.1")
    point_to(window, abq_ftp_port=port, abq_sftp_port=port)
    before = len(deliveries())
    window.app.callbacks[f"upload_to_corporate_{name.lower()}"]()
    log_in(window, TITLES[name], "lab", "secret")
    window.until(lambda: len(deliveries()) > before, "the delivery")


def ended(window: Window) -> str:
    """Wait for the end of the command; returns what the window told about it."""
    window.until(lambda: not window.app.commands.running, "the end")
    window.until(lambda: window.dialogs and not isinstance(window.dialogs[-1], LoginDialog), "the failure")
    text = window.dialogs[-1].detail
    window.answer("Close")
    return text


def answered_throughout(window: Window, ticking: Ticking) -> None:
    """The timer goes on while the command runs, or has just ended."""
    before = ticking.ticks
    window.until(lambda: ticking.ticks >= before + 5, "five ticks")


def scripts() -> Iterator[tuple[str, str, Script, str]]:
    """(protocol, name, what the server does, the state of the delivery after it)."""
    for name in REST_CHOSEN:
        at, after_bytes, fault, expected = REST_FAULTS[name]
        yield "REST", name, Store(at, fault, after_bytes), expected
    for name in FTP_CHOSEN:
        faults, expected = FTP_FAULTS[name]
        yield "FTP", name, Ftp(**deepcopy(faults)), expected  # type: ignore[arg-type]


@pytest.mark.takes(20)
@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize("protocol", ["REST", "FTP"])
def test_the_window_answers_throughout_and_tells_what_the_outbox_tells(
    window: Window, stored: SQLModel, ticking: Ticking, protocol: str
) -> None:
    shown = None
    for _, name, script, expected in (each for each in scripts() if each[0] == protocol):
        with serving(script) as port:
            begin(window, stored, protocol, port)
            answered_throughout(window, ticking)
            text = ended(window)
        delivery = deliveries()[-1]
        assert delivery.state in expected.split(" or "), name
        lines = delivery.reason.splitlines()  # the next attempt stands between ours and the server's
        assert lines and all(each in text for each in lines), f"{name}: the dialog and the outbox differ"
        assert (delivery.planned is not None) == ("tried again at" in text), name
        shown = shown or deliveries_window(window)
        window.until(lambda: seen(shown) == (delivery.state, " ".join(delivery.next_step.split())), f"{name}: its line")  # noqa: B023


def seen(shown: DeliveriesWindow) -> tuple[str, ...]:
    """State and what comes next in the first line."""
    return tuple(shown.tree.set(shown.tree.get_children()[0], column) for column in ("State", "What next"))


# -- cancel ---------------------------------------------------------------------------------------------


def stalls_at_once(connection: Connection) -> None:
    connection.stall()


def stalls_in_the_body(connection: Connection) -> None:
    connection.request()
    connection.send(http("200 OK", b"", "Set-Cookie: token=1"))
    connection.until(b"\r\n\r\n")
    connection.stall()


def data_stalls(control: Connection, data: Connection) -> None:
    data.stall()


STALLS: dict[str, tuple[str, Callable[[], Script]]] = {
    "REST, nothing is answered": ("REST", lambda: stalls_at_once),
    "REST, the file isn't taken": ("REST", lambda: stalls_in_the_body),
    "FTP, no greeting": ("FTP", lambda: Ftp(welcome="")),
    "FTP, the file isn't taken": ("FTP", lambda: Ftp(keep=1000, after=data_stalls)),
    "FTP, no answer to the login": ("FTP", lambda: Ftp(replies={"PASS": ""})),
    "SFTP, no greeting": ("FTP", lambda: stalls_at_once),
}


@pytest.mark.parametrize("place", ["bar", "window"])
def test_cancel_acts_at_once_on_a_connection_that_stalls(
    window: Window, stored: SQLModel, ticking: Ticking, place: str
) -> None:
    for stall, (name, script) in STALLS.items():
        times: list[float] = []
        point_to(window, abq_transfer="sftp" if stall.startswith("SFTP") else "ftp")
        while len(times) < 3 and min(times, default=1) >= AT_ONCE:  # others may have the machine for a moment
            with serving(script()) as port:
                begin(window, stored, name, port)
                window.until(lambda: state() == "sending", "the attempt")
                answered_throughout(window, ticking)
                cancel = canceller(window, name, place)
                begun = time.monotonic()
                cancel()
                window.until(lambda: not window.app.commands.running, "the end")
                times.append(time.monotonic() - begun)
                assert state() == "cancelled" and not running_lines(window), stall
        print(f"{stall}, {place}: {min(times):.3f} s")
        assert min(times) < AT_ONCE, (stall, times)


def canceller(window: Window, name: str, place: str) -> Callable[[], Any]:
    if place == "bar":
        window.until(lambda: running_lines(window), "its line")
        return lambda: press_cancel(window, name)
    shown = deliveries_window(window)
    identifier = deliveries()[-1].identifier
    window.until(lambda: shown.tree.exists(identifier), "its line")
    shown.tree.selection_set(identifier)
    window.until(lambda: not shown.buttons["Cancel Delivery"].instate(["disabled"]), "the button")
    return lambda: press(window, shown, "Cancel Delivery")
