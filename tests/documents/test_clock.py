"""The lines for cron and the command of the systemd unit run as they are printed, where no variable is known."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from tests.test_documents import ADMINISTRATORS, ROOT, blocks

from . import listing

PRINTED = "/usr/local/bin/abq-data-entry"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cron and systemd")


@pytest.fixture
def program() -> Iterator[Path]:
    """The program, in a folder of its own; its folders are known to it alone, as everybody's are to the real one."""
    with tempfile.TemporaryDirectory(prefix="abq-clock-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        own = {"ABQ_DATA_DIR": folder / "data", "ABQ_CONFIG_DIR": folder / "config", "PYTHONPATH": ROOT,
               "TMPDIR": folder, "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}  # fmt: skip
        told = "".join(f"export {name}={shlex.quote(str(text))}\n" for name, text in own.items())
        made = folder / "abq-data-entry"
        made.write_text(f'#!/bin/sh\n{told}exec {shlex.quote(sys.executable)} -m abq_data_entry "$@"\n')
        made.chmod(0o755)
        yield made
        postgres.EmbeddedServer(folder / "data", 60.0, False).stop()


@pytest.mark.takes(10)
@pytest.mark.needs("server")
@pytest.mark.timeout(300)
def test_they_run_where_no_variable_is_known(program: Path) -> None:
    elsewhere = ("/etc/", "ABQ_DB_USER", "weather")
    embedded = [line for line in listing.timed() if not any(each in line for each in elsewhere)]
    units = [line.partition("=")[2] for block in blocks(ADMINISTRATORS, "ini") for line in block.splitlines()
             if line.startswith("ExecStart=")]  # fmt: skip
    assert len(embedded) >= 2 and units
    subprocess.run([program, "db", "init"], env={}, cwd="/", check=True)  # as the first start of the window does
    for line in [*embedded, *units]:
        assert PRINTED in line
        here = line.replace(PRINTED, str(program))
        command = ["/bin/sh", "-c", here] if line in embedded else shlex.split(here)
        done = subprocess.run(command, env={}, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert (done.returncode, done.stderr if "--quiet" in line else "") == (0, ""), line
    assert list(program.parent.glob("data/backups/*.dump"))
