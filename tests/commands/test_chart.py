"""`chart`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import DAY, Outcome

pytest.importorskip("matplotlib", reason="matplotlib isn't installed: no wheel for this Python")


def test_draws_into_a_file(line: Callable[..., Outcome], one_record: None, tmp_path: Path) -> None:
    target = tmp_path / "heights.svg"
    done = line("chart", "growth", "-o", str(target), "--lab", "a", "--from", DAY)
    assert (done.code, done.output) == (0, f"Growth of lab A, from {DAY} written to {target}\n")
    assert target.read_text(encoding="utf-8").endswith("</svg>\n")
    unknown = line("chart", "growth", "-o", str(tmp_path / "z.svg"), "--lab", "z")
    assert "There is no lab 'Z' to be read here. There are A, B" in unknown.reason
    assert not (tmp_path / "z.svg").exists()
    nowhere = line("chart", "growth", "-o", str(tmp_path / "missing" / "a.png"))
    assert nowhere.reason.endswith("No such file or directory.")
    assert not list(tmp_path.glob(".*"))  # no part of a file stays


def test_without_matplotlib_it_says_so(
    line: Callable[..., Outcome], one_record: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    reason = line("chart", "growth", "-o", str(tmp_path / "a.png")).reason
    assert "pip install matplotlib" in reason and not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    "words",
    [
        ("pie", "-o", "a.png"),
        ("growth", "-o", "a.gif"),
        ("growth",),
        ("control", "-o", "a.png", "--plot", "3"),
        ("growth", "-o", "a.png", "--field", "light"),
        ("growth", "-o", "a.png", "--from", "2026-02-02", "--to", "2026-02-01"),
    ],
)
def test_wrong_usage(line: Callable[..., Outcome], words: tuple[str, ...]) -> None:
    assert line("chart", *words).code == 2
