"""The word `check`: line by line, its exit code, and the logins that it may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import Outcome
from tests.fixtures.ports import free_port
from tests.fixtures.servers import BundledServer

SECRET = "correct horse"


@pytest.fixture
def all_well(
    configure: Callable[..., None],
    rest_server: BundledServer,
    ftp_server: BundledServer,
    weather_feed: BundledServer,
) -> Callable[..., None]:
    """Writes settings that lead to real servers, except for what is named."""

    def write(**settings: object) -> None:
        found: dict[str, object] = {
            "weather_url": weather_feed.weather_url,
            "abq_auth_url": rest_server.auth_url,
            "abq_upload_url": f"{rest_server.upload_url}?token={SECRET}",
            "abq_ftp_host": "127.0.0.1",
            "abq_ftp_port": ftp_server.port,
        }
        configure(**{**found, **settings})

    write()
    return write


def test_all_is_well(all_well: Callable[..., None], line: Callable[..., Outcome]) -> None:
    done = line("check")
    assert (done.code, done.errors) == (0, "")
    headings = [each for each in done.output.splitlines()[1:-1] if each and not each.startswith(" ")]
    assert [each.rpartition(" ")[0] for each in headings] == ["Embedded", "Weather feed", "REST service", "FTP server"]
    assert done.output.startswith("Connections of ABQ Data Entry ")
    assert "failed" not in done.output and "Login" not in done.output and SECRET not in done.output
    assert done.output.endswith("\nNo login was tried: --login does that.\n")
    assert "No login" not in line("check", "--only", "database,weather").output


def test_one_failure_is_exit_code_1_and_the_others_are_checked(
    all_well: Callable[..., None], line: Callable[..., Outcome]
) -> None:
    all_well(abq_auth_url=f"http://127.0.0.1:{free_port()}/auth")
    done = line("check")
    assert done.reason == "One step failed."
    assert done.output.count("✗ failed") == 1 and "refused the connection" in done.output
    assert "ABQ sample FTP server" in done.output


def test_only_what_is_named_in_the_order_of_the_list(
    all_well: Callable[..., None], line: Callable[..., Outcome]
) -> None:
    output = line("check", "--only", "ftp,weather").output
    assert output.index("Weather feed") < output.index("FTP server")
    assert "REST service" not in output and "database" not in output


def test_a_login_and_a_write_test_by_standard_input(
    all_well: Callable[..., None], line: Callable[..., Outcome], ftp_server: BundledServer
) -> None:
    words = ("check", "--only", "ftp", "--username", "test", "--password-stdin")
    done = line(*words, stdin="test\n")
    assert done.code == 0 and "test is logged in" in done.output and not list(ftp_server.folder.iterdir())
    assert line(*words, "--write", stdin="test\n").code == 0
    assert len(list(ftp_server.folder.iterdir())) == 1
    refused = line(*words, stdin=f"{SECRET}\n")
    assert refused.code == 1 and "(530)" in refused.output and SECRET not in refused.output


def test_a_login_that_nobody_gives_is_a_step_that_failed(
    all_well: Callable[..., None], line: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    done = line("check", "--login")
    assert done.code == 1 and done.errors.strip() == "2 of the steps failed: see their messages."
    assert "needs a user name: give it with --username" in done.output


@pytest.mark.parametrize(
    "words",
    [("--only", "mail"), ("--only", ""), ("--username", "me"), ("--only", "weather", "--password-stdin")],
)
def test_wrong_usage(line: Callable[..., Outcome], words: tuple[str, ...]) -> None:
    assert line("check", *words).code == 2


def test_the_destinations_of_the_database_are_checked_too(
    all_well: Callable[..., None], line: Callable[..., Outcome], ftp_server: BundledServer, tmp_path: Path
) -> None:
    assert line("destinations", "add", "share", "folder", tmp_path).code == 0
    place = f"127.0.0.1:{free_port()}"
    assert line("destinations", "add", "archive", "ftp", place, "--username", "test").code == 0
    done = line("check")
    assert done.reason == "One step failed."
    headings = ("\nFTP server ", f"\narchive: FTP server {place}\n", "\nshare: ")
    places = [done.output.index(each) for each in headings]
    assert places == sorted(places)
    assert "archive:" not in line("check", "--only", "ftp").output
    moved = f"127.0.0.1:{ftp_server.port}"
    assert line("destinations", "change", "archive", "--address", moved).code == 0
    assert line("check").code == 0
