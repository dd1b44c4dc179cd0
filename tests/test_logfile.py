"""The log file: kept small, shared by processes, free of secrets, and never in the way."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry import folders, logfile

LOG = logging.getLogger("abq_data_entry.test")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABQ_DATA_DIR", str(tmp_path / "data"))


def _text() -> str:
    return (folders.log_folder() / logfile.NAME).read_text(encoding="utf-8")


def test_ours_from_info_on_and_of_others_what_is_worth_a_warning() -> None:
    with logfile.logging_to_file():
        LOG.info("plot %d saved – ü", 3)
        LOG.debug("too fine")
        logging.getLogger("elsewhere").info("chatter")
        logging.getLogger("elsewhere").warning("careful")
        try:
            raise ValueError("42 is wrong")
        except ValueError:
            LOG.exception("it failed")
    LOG.info("after the end")
    text = _text()
    for expected in ("INFO", "plot 3 saved – ü", "careful", "Traceback", "ValueError: 42 is wrong"):
        assert expected in text
    for absent in ("too fine", "chatter", "after the end"):
        assert absent not in text
    if os.name == "posix":
        assert (folders.log_folder() / logfile.NAME).stat().st_mode & 0o077 == 0


def test_nothing_is_written_when_nothing_is_logged() -> None:
    with logfile.logging_to_file():
        pass
    assert not folders.data_folder().exists()


def test_three_files_of_a_megabyte() -> None:
    with logfile.logging_to_file():
        for number in range(4400):
            LOG.info("%d %s", number, "x" * 1000)
    files = sorted(folders.log_folder().iterdir())
    assert [file.name for file in files] == [logfile.NAME, f"{logfile.NAME}.1", f"{logfile.NAME}.2"]
    assert all(file.stat().st_size < logfile.LARGEST + 2000 for file in files)
    assert " 4399 " in _text()


def test_processes_follow_each_other_to_the_new_file() -> None:
    with logfile.logging_to_file():
        LOG.info("first")
        (folders.log_folder() / logfile.NAME).rename(folders.log_folder() / f"{logfile.NAME}.1")
        code = (
            "import logging\nfrom abq_data_entry import logfile\n"
            "with logfile.logging_to_file():\n    logging.getLogger('abq_data_entry').info('another process')"
        )
        root = Path(__file__).resolve().parents[1]
        subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=60)
        LOG.info("second")
    text = _text()
    assert "another process" in text
    assert "second" in text
    assert "first" not in text


@pytest.mark.parametrize(
    "text",
    [
        "password=hush hush2",
        "password: hush",
        'form {"username": "u", "password": "hush"}',
        "PGPASSWORD=hush psql",
        "https://user:hush@example.org/upload",
        "Authorization: Basic hush",
        "Cookie: token=hush",
        "passwd = 'hush'",
    ],
)
def test_a_secret_in_somebody_elses_message_is_blacked_out(text: str) -> None:
    with logfile.logging_to_file():
        LOG.info("before %s", text)
        try:
            raise RuntimeError(text)
        except RuntimeError:
            LOG.exception("failed")
    assert "hush" not in _text().replace("hush2", "")
    assert "before" in _text()


def test_a_line_break_makes_no_record_of_its_own() -> None:
    forged = "2026-11-21 08:00:00,000 INFO [1] abq_data_entry: forged"
    with logfile.logging_to_file():
        LOG.info("before\n%s\r\x1b[2J\u2028%s", forged, "x" * 100_000)
        try:
            raise ValueError(f"wrong\n{forged}\r{forged}")
        except ValueError:
            LOG.exception("it failed")
        LOG.info("after")
    lines = _text().split("\n")
    assert [line.split(": ")[1][:9] for line in lines if line[:1].isdigit()] == ["before\\n2", "it failed", "after"]
    assert f"before\\n{forged}\\r\\x1b[2J xxx" in lines[0] and len(lines[0]) < 2 * logfile.LONGEST
    assert f"    {forged}" in lines and "\r" not in _text()


def test_what_is_no_secret_stays() -> None:
    text = "The user name or the password is wrong. https://example.org:8000/upload"
    assert logfile.without_secrets(text) == text


def test_a_log_that_cannot_be_written_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ABQ_DATA_DIR", str(tmp_path / "file" / "data"))
    with logfile.logging_to_file():
        LOG.error("nowhere to write")
    assert "Traceback" not in capsys.readouterr().err
