"""Alarms of the disks of this computer: small disks of the test's own, and a share that doesn't answer."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry.models import SQLModel
from abq_data_entry.workflows import local_disks, local_findings
from abq_data_entry.workflows.status import Limits
from tests.commands.conftest import Outcome
from tests.fixtures.disks import disk_of_no_size, filled, small_disk
from tests.network.shares import frozen_share

Said = Callable[[], list[tuple[str, str]]]


@pytest.fixture
def backups(tmp_path: Path, configure: Callable[..., None]) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir(mode=0o700)
    configure(backup_folder=str(folder))
    return folder


@pytest.fixture
def said(
    line: Callable[..., Outcome], stored: SQLModel, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Said]:
    """What a look finds of disks: the words of each alarm, and how it ended."""
    monkeypatch.setattr(local_findings, "LIMITS", Limits(free_mib=1))  # the disk of the tests has more

    def look() -> list[tuple[str, str]]:
        assert line("alarms", "run", "--no-verify").code == 0
        return [(each.line, each.ended_words) for each in stored.get_alarms(ended_days=1) if each.kind == "disk"]

    yield look


def test_the_disk_of_the_backups_is_watched_too(said: Said, backups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(backups, "1m"):
        filled(backups / "rest")
        few = f"Only 0 MiB are free on the disk of {backups}."
        assert said() == [(few, "")] == said()
        subprocess.run(["mount", "-o", "remount,size=8m", str(backups)], check=True)
        assert said() == [(few, "7 MiB are free again")]
        subprocess.run(["mount", "-o", "remount,size=1m", str(backups)], check=True)
        assert [ended for _words, ended in said()] == ["", "7 MiB are free again"]
    assert said()[0][1].startswith("it is on the disk of "), "nothing is mounted there any more"


def test_two_folders_of_one_disk_are_one_alarm(
    said: Said, backups: Path, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backups.stat().st_dev != server_folder.stat().st_dev:
        pytest.skip("the folders of the tests are on two disks here")
    monkeypatch.setattr(local_findings, "LIMITS", Limits(free_mib=10**12))
    ((words, _ended),) = said()
    assert words.endswith(f" MiB are free on the disk of {server_folder}.")


def test_a_folder_that_is_gone_says_nothing(said: Said, backups: Path) -> None:
    """That of a disk which isn't connected: the free space of another one doesn't end its alarm."""
    with small_disk(backups, "1m"):
        filled(backups / "rest")
        ((few, _ended),) = said()
    backups.rmdir()
    assert said() == [(few, "")]


def test_a_share_that_does_not_say_how_large_it_is_is_not_full(
    said: Said, backups: Path, line: Callable[..., Outcome]
) -> None:
    with disk_of_no_size(backups):
        assert said() == []
        assert "MiB are free" not in line("status").errors


def test_a_share_that_does_not_answer_holds_no_look_up(
    said: Said, backups: Path, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_disks, "PATIENCE", 0.3)
    monkeypatch.setattr(local_findings, "LIMITS", Limits(free_mib=10**12))
    with frozen_share(backups):
        for _again in range(3):
            ((words, _ended),) = said()
            assert words.endswith(f" MiB are free on the disk of {server_folder}.")


def test_a_daily_backup_to_a_share_that_does_not_answer_ends_and_is_an_alarm(
    line: Callable[..., Outcome], stored: SQLModel, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for ever, another one each night, and nobody was told."""
    monkeypatch.setattr(local_disks, "PATIENCE", 0.3)
    with frozen_share(backups):
        assert line("db", "backup", "--daily").reason == f"The folder {backups} doesn't answer."
        assert line("alarms", "run", "--no-verify").code == 0
        (alarm,) = stored.get_alarms()
        assert alarm.kind == "backup" and alarm.line.endswith(f": The folder {backups} doesn't answer."), alarm
    monkeypatch.setattr(local_disks, "PATIENCE", 60.0)
    assert line("db", "backup", "--daily").code == 0 and line("alarms", "run", "--no-verify").code == 0
    assert stored.get_alarms() == []
