"""Every command of the documents that can run in an empty environment runs: all of one document, in its order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from tests.test_documents import ADMINISTRATORS, DOCUMENTS, ROOT, blocks

# What needs more than this machine: another server, a keyring, a package manager, somebody's file of passwords, root.
_ELSEWHERE = re.compile(
    r"db1\.|ABQ_DB_USER|--username|/etc/|upload |deliveries run|db upgrade|db move|--put-aside|set-labs|restrict-labs"
    r"|db withdraw|db bring-back|db move-|db correct|demo|^abq-data-entry-window"
)
_CRON = re.compile(r"^(?:[\d*/,-]+ +){5}(.*)$")


def commands(document: Path) -> list[str]:
    """The lines of `abq-data-entry` in a document's blocks without a language, those of cron too."""
    lines = (line.strip() for block in blocks(document, "") for line in block.splitlines())
    found = ((_CRON.match(line) or [None, line])[1] or "" for line in lines)
    return [line for line in found if re.match(r"(?:/usr/local/bin/)?abq-data-entry ", line)]


@pytest.fixture
def empty() -> Iterator[dict[str, str]]:
    """The environment variables of somebody without settings and data; their server is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="abq-docs-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        own = {key: text for key, text in os.environ.items() if not key.startswith(("ABQ_", "PG"))}
        yield {**own, "ABQ_DATA_DIR": str(folder / "data"), "ABQ_CONFIG_DIR": str(folder / "config"),
               "TMPDIR": name, "PYTHONPATH": str(ROOT)}  # fmt: skip
        if (folder / "data/postgres").is_dir():
            postgres.EmbeddedServer(folder / "data", 60.0, sys.platform == "win32").stop()


def run(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = shlex.split(line)[1:]
    command = [sys.executable, "-m", "abq_data_entry", *words]
    return subprocess.run(command, env=environment, cwd=environment["TMPDIR"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)  # fmt: skip


@pytest.mark.timeout(300)
def test_the_commands_for_administrators_run_in_their_order(empty: dict[str, str]) -> None:
    assert run("abq-data-entry db init", empty).returncode == 0  # as the first start of the window does
    said = {line: run(line, empty) for line in commands(ADMINISTRATORS)
            if not _ELSEWHERE.search(line) and " weather" not in line and " check" not in line}  # fmt: skip
    assert any("db backup --daily" in line for line in said) and any("add-technician" in line for line in said)
    failed = {line: done.stderr for line, done in said.items() if done.returncode}
    assert not failed


def test_lines_of_the_clock_have_absolute_paths() -> None:
    lines = [line for document in DOCUMENTS for block in blocks(document, "") for line in block.splitlines()]
    cron = [found[1] for line in lines if (found := _CRON.match(line.strip()))]
    assert len(cron) >= 5
    for line in cron:
        program = next(word for word in shlex.split(line) if "=" not in word)
        assert program.startswith("/"), line
