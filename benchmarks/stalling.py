"""Whether the window answers while servers stall, and while a large extract is written."""

from __future__ import annotations

import datetime
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from abq_data_entry.views import Dialog, LoginDialog
from benchmarks import dataset, table
from benchmarks.driver import Driver, window
from benchmarks.options import Options

_ALWAYS = (datetime.date(1, 1, 1), datetime.date(9999, 12, 31))


@contextmanager
def stalling_server(seconds: float) -> Iterator[int]:
    """A port that takes connections, says nothing for so long, and then hangs up."""
    ended = threading.Event()

    def stall(connection: socket.socket) -> None:
        with connection:
            ended.wait(seconds)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed: the end
                return
            threading.Thread(target=stall, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)


def measure(options: Options) -> list[table.Row]:
    """The three commands of the Tools menu at once, each against a server that stalls; then an extract."""
    with dataset.server(options.folder) as server:
        database = dataset.prepare(server, options.extract_records)
        with ExitStack() as stack:
            weather, rest, ftp = (stack.enter_context(stalling_server(options.stall_seconds)) for _ in range(3))
            driver = stack.enter_context(window(options, database))
            settings = driver.app.settings
            settings["weather_url"].set(f"http://127.0.0.1:{weather}/{{station}}.xml")
            settings["abq_auth_url"].set(f"http://127.0.0.1:{rest}/auth")
            settings["abq_upload_url"].set(f"http://127.0.0.1:{rest}/upload")
            settings["abq_ftp_host"].set("127.0.0.1")
            settings["abq_ftp_port"].set(ftp)
            driver.model.save_record(dataset.record(0))
            # Nobody opens the menu within two seconds of the start.
            driver.until(lambda: "abq_data_entry.network.file_transfer" in sys.modules, "what is loaded after a start")
            driver.settle()
            try:
                _against_stalling_servers(driver, options.stall_seconds)
                stalled = driver.blocked(f"weather, REST and FTP stall {options.stall_seconds:.0f} s")
                _while_an_extract_is_written(driver)
                written = driver.blocked(f"{options.extract_records:,} records are exported")
            finally:
                driver.model._connections.write(dataset.forget)
    return [stalled, written]


def _against_stalling_servers(driver: Driver, stall_seconds: float) -> None:
    """Run the three commands at once, look at other days meanwhile, and wait until all have failed."""
    app = driver.app
    driver.blocked()
    begun = time.monotonic()
    app.callbacks["update_weather_data"]()
    for command in ("upload_to_corporate_rest", "upload_to_corporate_ftp"):
        app.callbacks[command]()
        _log_in(driver)
    if set(app.commands.running) != {"Weather", "REST", "FTP"}:
        raise RuntimeError(f"only {app.commands.running} were running: {app.status.get()}")
    driver.show_every_day()
    while app.commands.running:
        driver.turn_to(0)
        if time.monotonic() > begun + 20 * (stall_seconds + 5):
            raise TimeoutError(f"{app.commands.running} never gave up")
    if time.monotonic() < begun + stall_seconds:
        raise RuntimeError(f"a command didn't wait for its server: {app.status.get()}")
    _close_dialogs(driver, 3)


def _log_in(driver: Driver) -> None:
    def dialogs() -> list[LoginDialog]:
        return [each for each in driver.app.winfo_children() if isinstance(each, LoginDialog)]

    driver.until(lambda: any(each.winfo_viewable() for each in dialogs()), "the login")
    (dialog,) = dialogs()
    dialog.username.set("test")
    dialog.password.set("test")
    dialog.buttons[0].invoke()


def _close_dialogs(driver: Driver, number: int) -> None:
    def dialogs() -> list[Dialog]:
        return [each for each in driver.app.winfo_children() if isinstance(each, Dialog)]

    for left in range(number, 0, -1):  # the next one opens when the one before is closed
        driver.until(dialogs, f"{left} more dialogs")
        dialogs()[0].close()
        driver.app.update()


def _while_an_extract_is_written(driver: Driver) -> None:
    driver.settle()
    driver.blocked()
    rows: list[int] = []
    with tempfile.TemporaryDirectory(prefix="abq-extract-") as folder:
        path = Path(folder, "extract.csv")
        driver.app.jobs.submit(
            "files",
            driver.model.export_records,
            path,
            *_ALWAYS,
            done=rows.append,
            failed=lambda error: driver.problems.append(str(error)),
        )
        while not rows:
            driver.turn_to(0)
            driver.app.tk.dooneevent(0)
