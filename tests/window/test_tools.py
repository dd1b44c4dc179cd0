"""The Tools menu on the real window, against the bundled servers and against ones that misbehave."""

from __future__ import annotations

import datetime
import logging
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.application import tools
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.outbox import Outbox
from abq_data_entry.views import LoginDialog
from tests.fixtures.servers import BundledServer
from tests.fixtures.window import Window
from tests.network.faults import Connection, Ftp, http, serving
from tests.pace import patience
from tests.window.test_form import record

TODAY = datetime.date.today()
EXTRACT = f"abq_data_record_{TODAY}.csv"
PASSWORD = "Gr0undhog-Tuesday"


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of its own, to see what is left in it."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def point_to(window: Window, **servers: Any) -> None:
    """Set addresses as an administrator's file would."""
    for name, value in servers.items():
        window.app.settings[name].set(value)


def rest_settings(server: BundledServer) -> dict[str, str]:
    return {"abq_auth_url": server.auth_url, "abq_upload_url": server.upload_url}


def ftp_settings(server: BundledServer) -> dict[str, Any]:
    return {"abq_ftp_host": server.host, "abq_ftp_port": server.port}


def status(window: Window) -> str:
    return str(window.app.status.get())


def log_in(window: Window, title: str, username: str, password: str) -> LoginDialog:
    """Type a login with real keys, Enter after each entry."""
    dialog = window.dialog()
    assert isinstance(dialog, LoginDialog) and dialog.title() == title
    window.until(lambda: window.app.focus_get() in (dialog.user_entry, dialog.password_entry), "the focus")
    if window.app.focus_get() is dialog.user_entry:
        window.type(f"{username}\n")
    window.until(lambda: window.app.focus_get() is dialog.password_entry, "the password's turn")
    window.type(f"{password}\n")
    return dialog


def told(window: Window) -> str:
    """All that the open dialog says; it is closed."""
    dialog = window.dialog()
    text = f"{dialog.message}\n{dialog.detail}"
    window.answer("Close")
    return text


REST_TITLE = "Login to ABQ Corporate REST API"
FTP_TITLE = "Login to ABQ Corporate FTP"


# -- the weather ----------------------------------------------------------------------------------------


def test_weather_is_stored_once(window: Window, stored: SQLModel, weather_feed: BundledServer) -> None:
    point_to(window, weather_url=weather_feed.weather_url)
    window.press("ctrl+shift+w")
    window.until(lambda: "recorded" in status(window), "the weather")
    text = status(window)
    assert text.startswith("Weather data recorded for ") and not window.dialogs
    assert len(stored.query("SELECT * FROM local_weather") or []) == 1
    window.app.update_weather_data()
    window.until(lambda: "already recorded" in status(window), "the answer")
    assert len(stored.query("SELECT * FROM local_weather") or []) == 1
    assert not window.dialogs


def test_weather_that_is_old_or_partly_useless_is_stored_and_reported(window: Window, stored: SQLModel) -> None:
    time = "Wed, 14 Feb 2018 14:53:00 -0500"
    body = OBSERVATION.format(
        time=f"<observation_time_rfc822>{time}</observation_time_rfc822><pressure_mb>NA</pressure_mb>"
    )
    with serving(answer_with(http("200 OK", body.encode()))) as port:
        point_to(window, weather_url=f"http://127.0.0.1:{port}/{{station}}.xml")
        window.app.callbacks["update_weather_data"]()
        window.until(lambda: "recorded" in status(window), "the weather")
    text = status(window)
    assert text.startswith(f"Weather data recorded for {time} (the observation is ") and "years old; " in text
    assert "pressure 'NA' isn't a number" in text and not window.dialogs
    assert len(stored.query("SELECT * FROM local_weather WHERE temperature = 20 AND pressure IS NULL") or []) == 1


def answer_with(reply: bytes) -> Callable[[Connection], None]:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(reply)

    return script


OBSERVATION = "<current_observation><temp_c>20.0</temp_c>{time}</current_observation>"
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa">]><current_observation>&a;</current_observation>'


NO_ZONE = "<observation_time_rfc822>Sat, 21 Nov 2026 10:00:00</observation_time_rfc822>"
UNUSABLE = (
    (http("500 Internal Server Error"), "500"),
    (http("404 Not Found"), "KBMG"),
    (http("200 OK", b"<html><p>not what was asked"), "XML"),
    (http("200 OK", OBSERVATION.format(time="").encode()), "time"),
    (http("200 OK", BOMB.encode()), "not an observation"),
    (http("200 OK", b"<a>" + b" " * 100_000 + b"</a>"), "large"),
    (http("200 OK", OBSERVATION.format(time=NO_ZONE).encode()), "zone"),
)


def test_weather_that_cannot_be_had_is_reported_in_words(window: Window, stored: SQLModel) -> None:
    for reply, words in UNUSABLE:
        with serving(answer_with(reply)) as port:
            point_to(window, weather_url=f"http://127.0.0.1:{port}/{{station}}.xml")
            window.app.status.set("")
            window.app.callbacks["update_weather_data"]()
            text = told(window)
        assert status(window) == "Problem retrieving weather data", words
        assert text.startswith("Problem retrieving weather data\n") and words in text
        window.settle()
    assert stored.query("SELECT * FROM local_weather") == []


def test_a_refused_connection_and_an_unknown_host_read_differently(window: Window) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    texts = []
    for address in (f"127.0.0.1:{port}", "nowhere.invalid"):
        point_to(window, weather_url=f"http://{address}/{{station}}.xml")
        window.app.callbacks["update_weather_data"]()
        texts.append(told(window))
    refused, unknown = texts
    assert "The host nowhere.invalid isn't known" in unknown
    assert "127.0.0.1" in refused and "known" not in refused


def test_try_again_fetches_again(window: Window, stored: SQLModel, weather_feed: BundledServer) -> None:
    with serving(answer_with(http("503 Service Unavailable"))) as port:
        point_to(window, weather_url=f"http://127.0.0.1:{port}/{{station}}.xml")
        window.app.callbacks["update_weather_data"]()
        window.dialog()
    point_to(window, weather_url=weather_feed.weather_url)
    window.answer("Try Again")
    window.until(lambda: status(window).startswith("Weather data recorded for "), "the weather")


# -- both uploads ---------------------------------------------------------------------------------------


def test_both_uploads_typed_with_real_keys(
    window: Window,
    stored: SQLModel,
    rest_server: BundledServer,
    ftp_server: BundledServer,
    temporary: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **rest_settings(rest_server), **ftp_settings(ftp_server))
    window.press("ctrl+shift+r")
    log_in(window, REST_TITLE, "test", "test")
    window.until(lambda: status(window) == f"{EXTRACT} successfully uploaded to REST API.", "the upload")
    window.press("ctrl+shift+f")
    log_in(window, FTP_TITLE, "test", "test")
    window.until(lambda: status(window) == f"{EXTRACT} successfully uploaded to FTP", "the upload")
    contents = {(server.folder / EXTRACT).read_bytes() for server in (rest_server, ftp_server)}
    assert len(contents) == 1
    lines = contents.pop().decode().splitlines()
    assert len(lines) == 2 and lines[0].startswith("Date,Time,Technician")
    assert list(temporary.iterdir()) == []
    assert not window.app.commands.running and not window.dialogs
    # Both logins were accepted: nothing is asked any more in this session.
    stored.save_record(record(2, str(TODAY)))
    for name, server in (("REST", rest_server), ("FTP", ftp_server)):
        window.app.status.set("")
        window.app.callbacks[f"upload_to_corporate_{name.lower()}"]()
        window.until(lambda: "successfully uploaded" in status(window), "the second")
        assert name in status(window)
        assert not window.dialogs
        assert len((server.folder / EXTRACT).read_bytes().splitlines()) == 3


@pytest.mark.parametrize("name", ["REST", "FTP"])
def test_a_wrong_password_is_reported_as_such_and_can_be_tried_again(
    window: Window,
    stored: SQLModel,
    rest_server: BundledServer,
    ftp_server: BundledServer,
    temporary: Path,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **rest_settings(rest_server), **ftp_settings(ftp_server))
    title = {"REST": REST_TITLE, "FTP": FTP_TITLE}[name]
    window.app.callbacks[f"upload_to_corporate_{name.lower()}"]()
    log_in(window, title, "test", PASSWORD)
    dialog = window.dialog()
    window.until(lambda: not isinstance(window.dialogs[-1], LoginDialog), "the failure")
    dialog = window.dialog()
    assert "password" in dialog.detail and PASSWORD not in dialog.detail + dialog.message
    assert status(window) == f"The extract was not sent by {name}"
    window.answer("Try Again")
    log_in(window, title, "test", "test")
    window.until(lambda: f"{EXTRACT} successfully uploaded to {name}" in status(window), "the upload")
    assert list(temporary.iterdir()) == []
    # The password stands nowhere: not in the log, and in no file of ours.
    assert PASSWORD not in caplog.text
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files and not any(PASSWORD.encode() in path.read_bytes() for path in files)


def test_cancelling_the_login_sends_nothing(window: Window, stored: SQLModel, rest_server: BundledServer) -> None:
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **rest_settings(rest_server))
    for leave in ("Escape", "button"):
        window.app.callbacks["upload_to_corporate_rest"]()
        dialog = window.dialog()
        assert isinstance(dialog, LoginDialog)
        if leave == "Escape":
            window.press("Escape")
        else:
            window.answer("Cancel")
        window.until(lambda: not window.dialogs, "the end of the dialog")
        assert dialog.result is None
        assert status(window) == "Nothing was sent"
    assert "request received" not in rest_server.output()


def test_without_records_nothing_is_asked_or_sent(
    window: Window, stored: SQLModel, rest_server: BundledServer, ftp_server: BundledServer
) -> None:
    stored.save_record(record(1, str(TODAY - datetime.timedelta(8))))
    point_to(window, **rest_settings(rest_server), **ftp_settings(ftp_server))
    for command in ("upload_to_corporate_rest", "upload_to_corporate_ftp"):
        window.app.callbacks[command]()
        dialog = window.dialog()
        assert not isinstance(dialog, LoginDialog)
        assert dialog.message == "There are no records to upload"
        window.answer("OK")
    assert "request received" not in rest_server.output()


def test_a_refused_upload_is_reported_and_the_records_are_safe(
    window: Window, stored: SQLModel, temporary: Path
) -> None:
    stored.save_record(record(1, str(TODAY)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    point_to(window, abq_auth_url=url, abq_upload_url=url, abq_ftp_host="nowhere.invalid", abq_ftp_port=port)
    texts = []
    for command, title in (("rest", REST_TITLE), ("ftp", FTP_TITLE)):
        window.app.callbacks[f"upload_to_corporate_{command}"]()
        log_in(window, title, "test", "test")
        window.until(lambda: window.dialogs and not isinstance(window.dialogs[-1], LoginDialog), "the failure")
        texts.append(told(window))
    assert all("Your records are safe in the database" in text for text in texts)
    assert "refused" in texts[0] or "No server answers" in texts[0] or "answers" in texts[0]
    assert "nowhere.invalid" in texts[1]
    assert list(temporary.iterdir()) == []


def test_a_delivery_in_the_clear_is_called_that(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, str(TODAY)))
    said: list[str] = []
    window.app.status.trace_add("write", lambda *_: said.append(status(window)))
    ways = [("nowhere.invalid", "none"), ("nowhere.invalid", ""), ("127.0.0.1", "none"), ("nowhere.invalid", "none")]
    for number, (host, security) in enumerate(ways):
        transfer = "sftp" if number == 3 else "ftp"
        point_to(window, abq_ftp_host=host, abq_ftp_port=1, abq_ftp_security=security, abq_transfer=transfer)
        window.app.callbacks["upload_to_corporate_ftp"]()
        log_in(window, FTP_TITLE, "test", "test")
        window.until(lambda: window.dialogs and not isinstance(window.dialogs[-1], LoginDialog), "the failure")
        told(window)
    running = [text for text in said if "running" in text]
    assert running == ["FTP: running, not encrypted…", *["FTP: running…"] * 3]


# -- while something runs -------------------------------------------------------------------------------


def stall(connection: Connection) -> None:
    connection.stall()


def running_lines(window: Window) -> list[Any]:
    return list(window.app.status_bar.jobs.winfo_children())


def press_cancel(window: Window, name: str) -> None:
    def lines() -> list[Any]:
        return [each for each in running_lines(window) if each.job_name == name]

    window.until(lines, f"the line of {name}")
    lines()[0].button.invoke()


def test_stalling_servers_leave_the_window_live_and_cancel_acts(
    window: Window, stored: SQLModel, temporary: Path
) -> None:
    stored.save_record(record(2, str(TODAY)))
    window.begin_check()
    with serving(stall) as port:
        url = f"http://127.0.0.1:{port}/"
        point_to(window, weather_url=url + "{station}", abq_auth_url=url, abq_upload_url=url)
        point_to(window, abq_ftp_host="127.0.0.1", abq_ftp_port=port)
        for command, title in (("rest", REST_TITLE), ("ftp", FTP_TITLE)):
            window.app.callbacks[f"upload_to_corporate_{command}"]()
            log_in(window, title, "test", "test")
        window.app.callbacks["update_weather_data"]()
        window.until(lambda: len(running_lines(window)) == 3, "three running commands")
        # The same command twice is refused, in words.
        window.app.callbacks["update_weather_data"]()
        window.app.callbacks["upload_to_corporate_rest"]()
        assert "running already" in status(window) and not window.dialogs
        gaps = watch(window, 5.0)
        assert max(gaps) < patience(0.25), f"the window didn't answer for {max(gaps):.3f} s"
        # A save goes on beside them.
        window.fill_readings()
        window.save()
        assert len(stored.get_all_records()) == 2
        begun = time.monotonic()
        for name in ("REST", "FTP", "Weather"):
            press_cancel(window, name)
        window.until(lambda: not window.app.commands.running, "the end of all three")
        assert time.monotonic() - begun < patience(2)
    assert running_lines(window) == [] and not window.dialogs
    assert "cancelled" in status(window)
    assert list(temporary.iterdir()) == []
    assert stored.query("SELECT * FROM local_weather") == []


def watch(window: Window, seconds: float) -> list[float]:
    """The times between one timer of 10 ms and the next, for so long."""
    gaps, last = list[float](), time.perf_counter()
    end = last + seconds

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps.append(now - last)
        last = now
        if now < end:
            window.app.after(10, tick)

    window.app.after(10, tick)
    window.until(lambda: last >= end, "the time to pass")
    return gaps


def test_what_is_over_at_once_gets_no_line(
    window: Window, stored: SQLModel, rest_server: BundledServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "LINE_MS", 60_000)
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **rest_settings(rest_server))
    seen: list[tuple[str, bool]] = []  # it may be over before anybody looks
    window.app.status.trace_add("write", lambda *_: seen.append((status(window), bool(running_lines(window)))))
    window.app.callbacks["upload_to_corporate_rest"]()
    log_in(window, REST_TITLE, "test", "test")
    window.until(lambda: "successfully uploaded" in status(window), "the upload")
    assert any("REST: running" in said for said, _ in seen) and not any(has_line for _, has_line in seen)
    assert not window.app.commands.running and not running_lines(window)


def test_cancel_by_keyboard_gives_the_focus_back(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    with serving(stall) as port:
        point_to(window, weather_url=f"http://127.0.0.1:{port}/{{station}}")
        window.app.callbacks["update_weather_data"]()
        window.until(lambda: running_lines(window), "the running command")
        running_lines(window)[0].button.focus_set()
        window.press("space")
        window.until(lambda: not window.app.commands.running, "the end")
    window.type("24")
    assert window.text(F.HUMIDITY) == "24"


def test_progress_shows_a_number_and_a_cut_upload_leaves_nothing(
    window: Window, stored: SQLModel, temporary: Path
) -> None:
    stored.save_record(record(1, str(TODAY)))
    stored.query("UPDATE plot_checks SET notes = repeat('many words ', 2000000)")

    def take_half(connection: Connection) -> None:
        head = connection.until(b"\r\n\r\n")
        if head.startswith(b"POST"):
            connection.exactly(27)  # username=test&password=test
            connection.send(http("200 OK", b"in", "Set-Cookie: token=abc"))
            head = connection.until(b"\r\n\r\n")
        if head:
            connection.exactly(1_000_000)
            connection.stall()

    with serving(take_half) as port:
        url = f"http://127.0.0.1:{port}/"
        point_to(window, abq_auth_url=url, abq_upload_url=url)
        window.app.callbacks["upload_to_corporate_rest"]()
        log_in(window, REST_TITLE, "test", "test")
        window.until(
            lambda: running_lines(window) and "%" in running_lines(window)[0].number.cget("text"), "a number"
        )
        # Bytes too; the server takes no more, and after a while the line says so.
        detail = running_lines(window)[0].detail
        window.until(lambda: detail.winfo_ismapped() and " of 22.0 MB" in detail.cget("text"), "the bytes")
        window.until(lambda: "standing still" in detail.cget("text"), "the standstill")
        press_cancel(window, "REST")
        window.until(lambda: not window.app.commands.running, "the end")
    assert status(window) == "REST: cancelled, nothing was stored or sent"
    assert list(temporary.iterdir()) == []


def test_cancelled_before_the_answer_says_that_the_file_may_have_arrived(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, str(TODAY)))
    received = list[bytes]()

    def take_all(connection: Connection) -> None:
        connection.request()
        connection.send(http("200 OK", b"in", "Set-Cookie: token=abc"))
        received.append(connection.request())
        connection.stall()

    with serving(take_all) as port:
        url = f"http://127.0.0.1:{port}/"
        point_to(window, abq_auth_url=url, abq_upload_url=url)
        window.app.callbacks["upload_to_corporate_rest"]()
        log_in(window, REST_TITLE, "test", "test")
        window.until(lambda: received and running_lines(window), "the whole file at the server")
        press_cancel(window, "REST")
        window.until(lambda: not window.app.commands.running, "the end")
    assert EXTRACT.encode() in received[0]
    assert status(window) == "REST: cancelled when the whole file had been sent: it may have arrived"
    (delivery,) = Outbox(Path(os.environ["ABQ_DATA_DIR"]) / "outbox").deliveries()
    assert delivery.state == "cancelled" and "may have arrived" in delivery.reason


def test_cancelled_while_it_is_stored_under_its_name_says_what_may_be_there(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, str(TODAY)))
    reached = list[bool]()

    def stall_midway(control: Connection, _data: Connection) -> None:
        reached.append(True)
        control.stall()

    server = Ftp(renames=False, deletes=False, keep=10, after=stall_midway)
    with serving(server) as port:
        point_to(window, abq_ftp_host="127.0.0.1", abq_ftp_port=port)
        window.app.callbacks["upload_to_corporate_ftp"]()
        log_in(window, FTP_TITLE, "test", "test")
        window.until(lambda: reached and running_lines(window), "a part of the file at the server")
        window.app.callbacks["upload_to_corporate_ftp"]()
        assert status(window) == "FTP is running already"
        press_cancel(window, "FTP")
        window.until(lambda: not window.app.commands.running, "the end")
        said = status(window)
        (delivery,) = Outbox(Path(os.environ["ABQ_DATA_DIR"]) / "outbox").deliveries()
        server.keep = None
        window.app.callbacks["upload_to_corporate_ftp"]()
        log_in(window, FTP_TITLE, "test", "test")
        window.until(lambda: "successfully" in status(window), "the upload")
        assert server.files[EXTRACT].count(b"\n") == 2  # here: at the end, the first attempt goes on
    assert said == "FTP: cancelled while the server was storing it: the file there may be incomplete or missing"
    assert delivery.state == "cancelled" and "incomplete or missing" in delivery.reason


def test_a_command_pressed_twice_asks_once(window: Window, stored: SQLModel, rest_server: BundledServer) -> None:
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **rest_settings(rest_server))
    for _ in range(3):
        window.app.callbacks["upload_to_corporate_rest"]()
    window.settle()
    assert len(window.dialogs) == 1
    window.answer("Cancel")
    # And after a Cancel it can be begun again.
    window.app.callbacks["upload_to_corporate_rest"]()
    window.settle()
    assert len(window.dialogs) == 1
    window.answer("Cancel")


def test_quitting_during_a_transfer_asks(window: Window, stored: SQLModel) -> None:
    with serving(stall) as port:
        point_to(window, weather_url=f"http://127.0.0.1:{port}/{{station}}")
        window.app.callbacks["update_weather_data"]()
        window.until(lambda: window.app.commands.running, "the running command")
        window.app.quit_application()
        assert "Weather still running" in window.dialog().message
        window.answer("Keep")
        assert window.app.commands.running == ("Weather",)
        press_cancel(window, "Weather")
        window.until(lambda: not window.app.commands.running, "the end")
