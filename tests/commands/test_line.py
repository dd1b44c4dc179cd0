"""What is common to all words: usage, exit codes, the ways to end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry.__main__ import main
from abq_data_entry.commands.outcome import termination_interrupts
from abq_data_entry.version import version
from tests.commands.conftest import CHECKOUT, PATIENCE, Outcome, outcome_of, start_process


@pytest.mark.parametrize(
    "words",
    [
        "--nonsense",
        "--",
        "frobnicate",
        "weather now",
        "weather --station ../etc",
        "export --date 21.11.2026",
        "export --date 2026-02-30",
        "export --date 2026-W47-6",
        "upload",
        "upload SMTP",
        "upload rest --password secret",
        "db",
        "db frobnicate",
        "db backup",
        "db add-technician four Name",
        "db add-plot A",
        "demo now",
    ],
)
def test_wrong_usage_is_2_and_shows_the_usage(words: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("usage: abq-data-entry")


def test_an_unknown_option_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nonsense"]) == 2
    assert "--nonsense" in capsys.readouterr().err.splitlines()[-1]


def test_help_names_all_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for word in ("weather", "export", "upload", "db", "demo", "ABQ_DB_PASSWORD"):
        assert word in shown


def options_of(subcommand: list[str], capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[str, ...]]:
    """Yield the names of each option that the help of this subcommand, and of those below it, lists."""
    assert main([*subcommand, "--help"]) == 0
    shown = capsys.readouterr().out
    for line in re.findall(r"^  (-.*)$", shown, re.MULTILINE):
        yield tuple(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line.partition("   ")[0]))
    for below in re.findall(r"^    ([a-z][a-z-]*)(?: |$)", shown, re.MULTILINE):
        yield from options_of([*subcommand, below], capsys)


def test_each_option_is_documented(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = "".join(each.read_text("utf-8") for each in (CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md")))
    options = list(options_of([], capsys))
    assert ("--quiet",) in options and len(options) > 100
    written = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", documents))
    assert [each for each in options if written.isdisjoint(each) and "--help" not in each] == []


def test_version(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"abq-data-entry \d+\.\d+\.\d+\n", capsys.readouterr().out)
    assert version() in (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there always is a display")
@pytest.mark.parametrize("display", ["", ":7654"])
def test_window_without_a_display_names_the_words_that_need_none(
    display: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    assert main([]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    for word in ("demo", "weather", "export", "upload", "db"):
        assert word in said.err


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the window with xdotool")
def test_the_window_opens_without_a_word_and_an_interrupt_closes_it(display: str, line: Callable[..., Outcome]) -> None:
    process = start_process(env={**os.environ, "DISPLAY": display})
    seen = ["xdotool", "search", "--sync", "--onlyvisible", "--pid", str(process.pid), "--name", "^ABQ Data Entry"]
    try:
        subprocess.run(seen, check=True, capture_output=True, timeout=PATIENCE)
        process.send_signal(signal.SIGINT)
        assert outcome_of(process) == Outcome(0, "", "")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_words_import_no_tkinter_and_the_start_imports_little(line: Callable[..., Outcome]) -> None:
    code = (
        "import sys\nfrom abq_data_entry.__main__ import main\n"
        "heavy = {'argparse', 'tkinter', 'psycopg2', 'requests', 'keyring', 'logging.handlers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert main(['db', 'init']) == 0\nassert main(['export', '--date', '2020-01-01']) == 1\n"
        "assert 'tkinter' not in sys.modules and 'requests' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def test_invalid_settings_are_reported_and_the_default_is_used(
    configure: Callable[..., None], line: Callable[..., Outcome]
) -> None:
    configure(abq_ftp_port="twenty-one")
    done = line("db", "init")
    assert done.code == 0
    assert "Warning:" in done.errors
    assert "abq_ftp_port" in done.errors


def test_a_reader_that_goes_away_is_no_traceback(line: Callable[..., Outcome]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start_process("db", "dsn", stdout=writing)
    os.close(writing)
    assert outcome_of(process).reason == "Nothing reads the output any more."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_one_line(
    number: signal.Signals, configure: Callable[..., None], line: Callable[..., Outcome]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        configure(weather_url=f"http://127.0.0.1:{silent.getsockname()[1]}/{{station}}.xml")
        process = start_process("weather")
        connection, _ = silent.accept()  # it has asked, and waits for an answer that doesn't come
        with connection:
            process.send_signal(number)
            assert outcome_of(process).reason in ("Interrupted.", "Cancelled.")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells whether a thread waits")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_just_before_a_wait_ends_it(number: signal.Signals) -> None:
    """To another thread, it leaves the main thread in its system call, as one just before that call does."""
    reader, writer = os.pipe()
    state = Path(f"/proc/self/task/{threading.get_native_id()}/stat")

    def end() -> None:
        while not re.search(r"\) S ", state.read_text()):
            pass
        signal.pthread_kill(threading.get_ident(), number)

    answered = threading.Event()

    def answer() -> None:
        answered.set()
        os.write(writer, b"at last")

    at_the_latest = threading.Timer(PATIENCE, answer)
    at_the_latest.start()
    with termination_interrupts(), pytest.raises(KeyboardInterrupt):
        threading.Thread(target=end).start()
        os.read(reader, 20)
    at_the_latest.cancel()
    os.close(reader)
    os.close(writer)
    assert not answered.is_set()
