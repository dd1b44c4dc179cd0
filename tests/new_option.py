"""Run by test_new_option.py with a copy of the package in which `journal list` has one option more: --lab."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from abq_data_entry.commands import line
from abq_data_entry.journal import Journal
from tests.journal.entries import inserted


def main() -> None:
    """Let records of two labs wait, and list those of one; whatever fails raises."""
    journal = Journal(Path(os.environ["ABQ_DATA_DIR"]) / "journal")
    for lab in ("A", "B"):
        journal.keep(inserted(3, Lab=lab))
    assert len(listed()) == 2
    assert len(listed("--lab", "B")) == 1 and "lab B, plot 3" in listed("--lab", "B")[0], listed("--lab", "B")
    assert listed("--lab", "C") == ["No record of lab C waits."]
    assert "--lab L" in " ".join(listed("--help"))
    with contextlib.redirect_stderr(io.StringIO()) as problem:
        assert line.run(["journal", "replay", "--lab", "B"]) == 2, "replay has no such option"
    assert "--lab" in problem.getvalue()


def listed(*options: str) -> list[str]:
    """The lines that `journal list` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert line.run(["journal", "list", *options]) == 0
    return said.getvalue().splitlines()


if __name__ == "__main__":
    main()
