"""The launcher with real environments: made once, noticed when they no longer fit, never half done."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from abq_data_entry.launcher import quick_check, virtualenv
from abq_data_entry.launcher.quick_check import MARKER, STAMP
from tests.network.certificates import authority

from .conftest import ROOT, Checkout, answer, tls_listener

# A start that makes an environment takes some seconds here, and a minute where three others are at work.
PATIENCE = 90.0
pytestmark = pytest.mark.takes(12)


def test_the_first_start_prepares_and_later_ones_only_when_the_lock_changes(
    checkout: Checkout, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    first = checkout.start("weather", "--station", "KBMG", TMPDIR=str(temporary))

    assert first.returncode == 0, first.stderr
    assert list(temporary.iterdir()) == [] and not (checkout.folder / ".venv/tmp").exists()
    assert "Preparing .venv" in first.stderr
    assert answer(first)["argv"] == ["weather", "--station", "KBMG"]
    assert Path(answer(first)["prefix"]).samefile(checkout.folder / ".venv")
    assert answer(first)["seedling"] == "1.0"

    stamp = (checkout.folder / ".venv" / STAMP).stat().st_mtime_ns
    second = checkout.start("seven")
    assert (second.returncode, second.stderr) == (7, "")
    assert (checkout.folder / ".venv" / STAMP).stat().st_mtime_ns == stamp

    lock = checkout.folder / "requirements.lock"
    os.utime(lock)  # as git does that goes to another branch and back
    assert checkout.start("weather").stderr == ""
    fitting = quick_check.fitting_python(os.path.realpath(checkout.folder), tk=False)
    assert fitting, "the touched lock isn't read every time"

    from_inside = checkout.start("weather", python=str(checkout.folder / ".venv/bin/python"))
    assert (from_inside.returncode, from_inside.stderr) == (0, "")

    checkout.require("2.0")
    refreshed = checkout.start("weather", python=str(checkout.folder / ".venv/bin/python"))
    assert answer(refreshed)["seedling"] == "2.0", "also when it is started from inside the old environment"
    assert "Bringing .venv up to date" in refreshed.stderr
    assert checkout.start("weather").stderr == ""


def test_two_starts_after_an_interrupted_one_prepare_once_and_a_moved_folder_is_noticed(checkout: Checkout) -> None:
    """Making an environment takes seconds of the processor, so what needs a new one shares it."""
    interrupted = sys.platform != "win32"  # SIGKILL is POSIX's
    if interrupted:
        interrupt_a_preparation(checkout)
    # What it started is still at work and must not be disturbed: the next starts wait for it, then one begins again.
    starts = [
        subprocess.Popen(
            checkout.command("db", word), env=checkout.environment(), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for word in ("dsn", "init")
    ]  # fmt: skip
    said = [process.communicate(timeout=PATIENCE) for process in starts]

    assert [process.returncode for process in starts] == [0, 0], said
    assert sum("Preparing .venv" in errors for _, errors in said) == 1
    assert all("waiting" in errors for _, errors in said) or not interrupted, said
    assert [json.loads(output)["seedling"] for output, _ in said] == ["1.0", "1.0"]
    assert not (checkout.folder / ".venv" / MARKER).exists()

    moved = Checkout(checkout.folder.rename(checkout.folder.with_name("elsewhere")))
    assert list(moved.folder.glob(".venv/lib/*/site-packages/seedling.py")) or not interrupted
    if interrupted:  # it begins as every preparation does, which was seen to its end above
        assert "Preparing .venv" in interrupt_a_preparation(moved, with_all_that_it_started=True)
        assert not list(moved.folder.glob(".venv/lib/*/site-packages/seedling.py"))


def interrupt_a_preparation(checkout: Checkout, with_all_that_it_started: bool = False) -> str:
    """Kill a start that makes an environment, as soon as there is something of it; return what it said."""
    killed = subprocess.Popen(
        checkout.command("weather"), env=checkout.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    # Both are written first, long before the packages.
    under_way = [checkout.folder / ".venv" / name for name in (MARKER, "pyvenv.cfg")]
    deadline = time.monotonic() + PATIENCE
    while not all(each.exists() for each in under_way):
        assert time.monotonic() < deadline and killed.poll() is None
        time.sleep(0.005)
    if with_all_that_it_started:
        os.killpg(killed.pid, signal.SIGKILL)
    else:
        killed.kill()
    return killed.communicate()[1]


def test_an_environment_of_another_python_is_replaced(
    checkout: Checkout, prepared: Path, other_python: str
) -> None:
    checkout.give_environment(prepared)
    ours = answer(checkout.start("weather"))
    theirs = checkout.start("weather", python=other_python)

    assert "Preparing .venv" in theirs.stderr
    running = (sys.base_prefix, sys.version.split()[0])
    assert (ours["base"], ours["version"]) == running
    assert (answer(theirs)["base"], answer(theirs)["version"]) != running  # two of a distribution have the same base


def test_a_developers_own_environment_is_kept(checkout: Checkout, prepared: Path) -> None:
    environment = checkout.give_environment(prepared)
    own = environment / "own file"
    own.touch()

    started = checkout.start("weather")

    assert answer(started)["seedling"] == "1.0"
    if sys.version_info >= (3, 11):  # before, an environment didn't say where it was made
        assert own.exists()


def test_a_package_that_is_missing_or_forged_is_reported_in_one_line(
    checkout: Checkout, prepared: Path, tmp_path: Path
) -> None:
    environment = checkout.give_environment(prepared)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    lock = checkout.folder / "requirements.lock"
    nobody_listens = "http://127.0.0.1:9/simple"
    lock.write_text(f"--index-url {nobody_listens}\nseedling==1.0 --hash=sha256:{'0' * 64}\n", "utf-8")
    offline = checkout.start("weather")
    assert offline.returncode == 1
    assert "connect this machine to the network" in offline.stderr.splitlines()[-1]
    assert len(offline.stderr.splitlines()) == 2, offline.stderr
    assert not (environment / STAMP).exists()

    checkout.require("1.0")
    # Nothing of what is there by now can be used: its Python was removed, its stamp is noise.
    (environment / "bin/python").unlink()
    (environment / "bin/python").symlink_to("/nowhere/python3")
    (environment / STAMP).write_bytes(b"\xff\x00 nonsense")
    assert answer(checkout.start("weather"))["seedling"] == "1.0"

    checkout.require("2.0", digest="0" * 64)
    forged = checkout.start("weather", TMPDIR=str(temporary))
    assert forged.returncode == 1
    assert "HASHES" in forged.stderr.splitlines()[-1]
    assert not (environment / STAMP).exists()
    assert list(temporary.iterdir()) == [] and not (environment / "tmp").exists()


def test_a_network_that_replaces_certificates_is_reported_as_such(
    checkout: Checkout, prepared: Path, tmp_path: Path
) -> None:
    checkout.give_environment(prepared)
    stranger = authority("Company Proxy", tmp_path)
    with tls_listener(stranger.issue("localhost")) as port:
        lock = checkout.folder / "requirements.lock"
        index = f"https://localhost:{port}/simple"
        lock.write_text(f"--index-url {index}\nseedling==1.0 --hash=sha256:{'0' * 64}\n", "utf-8")
        started = checkout.start("weather")

    assert started.returncode == 1
    assert "PIP_CERT" in started.stderr.splitlines()[-1]
    assert "replaces the certificate" in started.stderr


def test_a_folder_with_a_colon_in_its_name_is_refused(checkout: Checkout) -> None:
    moved = Checkout(checkout.folder.rename(checkout.folder.with_name(f"a{os.pathsep}b")))

    started = moved.start("weather")

    assert started.returncode == 1
    assert f"{os.pathsep!r} in its name" in started.stderr
    assert len(started.stderr.splitlines()) == 1


_PIPS_LOG = """\
Ignoring colorama: markers 'sys_platform == "win32"' don't match your environment
Collecting certifi==2026.1.4 (from -r requirements.lock (line 3))
  Downloading certifi-2026.1.4-py3-none-any.whl (150 kB)
Requirement already satisfied: idna==3.11 in ./lib (from -r requirements.lock (line 5))
"""


def test_progress_is_read_from_pips_log() -> None:
    assert virtualenv.progress_in_words("", 4) == ""
    assert virtualenv.progress_in_words(_PIPS_LOG, 4) == "Fetching package 2 of 3"
    installing = _PIPS_LOG + "Installing collected packages: certifi\n"
    assert virtualenv.progress_in_words(installing, 4) == "Installing 3 packages"
    assert virtualenv.packages_in(ROOT / "requirements.lock") > 20


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of one's own is POSIX's")
def test_somebody_at_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    ours, theirs = os.openpty()
    code = (
        "import subprocess, sys, pathlib\n"
        "from abq_data_entry.launcher.virtualenv import follow\n"
        "slow = 'import time; print(\"Collecting certifi==1\", flush=True); time.sleep(1.5)'\n"
        "log = pathlib.Path(sys.argv[1])\n"
        "with log.open('ab') as file:\n"
        "    process = subprocess.Popen([sys.executable, '-c', slow], stdout=file)\n"
        "    sys.exit(follow(process, log, 5))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(log)], cwd=ROOT, stderr=theirs, check=False)
    os.close(theirs)
    said = os.read(ours, 10_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "Fetching package 1 of 5" in said


def test_a_checkout_that_cannot_be_written_is_reported(checkout: Checkout) -> None:
    (checkout.folder / ".venv.lock").mkdir()  # keeps root out, too

    started = checkout.start("weather")

    assert started.returncode == 1
    assert str(checkout.folder) in started.stderr
    assert len(started.stderr.splitlines()) == 1
