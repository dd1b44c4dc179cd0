"""The command line in this process on the session's database, in a process of its own, and at a terminal."""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.__main__ import main
from abq_data_entry.commands import outcome
from abq_data_entry.models import SQLModel
from tests.fixtures.short_folders import short_folder
from tests.fixtures.window import write_settings
from tests.models.records import DATE, record

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 200.0  # seconds: less than a test may take, and more than a busy machine does
DAY = DATE.isoformat()
_CALLERS_OWN = re.compile(r"PG.*|ABQ_(?!CONFIG_DIR|DATA_DIR).*")


@dataclass(frozen=True)
class Outcome:
    """How a word ended, and what it said."""

    code: int
    output: str
    errors: str

    @property
    def reason(self) -> str:
        """The one line that says why it wasn't done."""
        assert self.code == 1, self
        assert self.errors.count("\n") == 1, self.errors
        return self.errors.strip()


@pytest.fixture(autouse=True)
def _callers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No login of whoever runs the tests."""
    for name in list(os.environ):
        if _CALLERS_OWN.fullmatch(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PGPASSFILE", os.devnull + ".missing")


@pytest.fixture
def configure(home: Path, database: dict[str, str]) -> Callable[..., None]:
    """Writes the settings file: the test's database, and what is named."""

    def write(**settings: object) -> None:
        write_settings(home, {"db_name": database["dbname"], **settings})

    write()
    return write


@pytest.fixture
def line(
    configure: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Runs the command line in this process: `line("export", "-o", file, stdin="…")`."""

    def run(*words: object, stdin: str = "") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        monkeypatch.setattr(outcome, "FIRST", PATIENCE)  # test_waits_announced.py tests the waits of a busy machine
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run


@pytest.fixture
def one_record(stored: SQLModel) -> None:
    """One record, of `DAY`."""
    stored.save_record(record())


def start_process(*words: object, **options: Any) -> subprocess.Popen[str]:
    """The command line as a process of its own."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "abq_data_entry", *map(str, words)]
    return subprocess.Popen(command, cwd=CHECKOUT, text=True, **{**pipes, **options})


def outcome_of(process: subprocess.Popen[str]) -> Outcome:
    """Wait for the process to end; what it says of its waits, on a busy machine, is left out."""
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    told = [each for each in (errors or "").splitlines(keepends=True) if not each.endswith(" …\n")]
    return Outcome(process.returncode, output or "", "".join(told))


def at_terminal(words: Sequence[object], answers: Sequence[tuple[str, str]]) -> Outcome:
    """Run the words at a terminal, and answer each question when it is asked; all that was shown is the output."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    ours, theirs = pty.openpty()
    process = start_process(*words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = ""
    try:
        for question, answer in answers:
            shown += _read_until(ours, question)
            os.write(ours, f"{answer}\n".encode())
        shown += _read_until(ours, None)
        return Outcome(process.wait(PATIENCE), shown.replace("\r\n", "\n"), "")
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
            process.wait()


def _read_until(terminal: int, text: str | None) -> str:
    """Read until the text was shown; `None`: until the other side is gone."""
    shown = b""
    end = time.monotonic() + PATIENCE
    while text is None or text.encode() not in shown:
        assert time.monotonic() < end, f"{text!r} was never shown: {shown!r}"
        if select.select([terminal], [], [], 0.1)[0]:
            chunk = b""
            with suppress(OSError):  # Linux: the other side has closed it
                chunk = os.read(terminal, 4096)
            if not chunk:
                assert text is None, f"{text!r} was never shown: {shown!r}"
                break
            shown += chunk
    return shown.decode("utf-8", "replace")


@pytest.fixture(name="short_folder")
def folder_with_a_short_path() -> Iterator[Path]:
    """A folder with a short path for a data folder of its own; its server is stopped at the end."""
    with short_folder() as made:
        yield made
