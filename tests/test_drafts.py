"""Drafts on disk: what a crash leaves, what is damaged, and many windows at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abq_data_entry.application.drafts import SLOTS, DraftFile

ROOT = Path(__file__).resolve().parent.parent
DRAFT = {"texts": {"Humidity": "24.09", "Notes": "leaf\nspots °"}, "opened": None, "baseline": {}}


@contextmanager
def holder(folder: Path, draft: object) -> Iterator[subprocess.Popen[str]]:
    """A process that took a slot and wrote a draft into it, and holds on."""
    code = (
        "import json, sys; from pathlib import Path; from abq_data_entry.application.drafts import DraftFile\n"
        "file = DraftFile(Path(sys.argv[1])); file.take_over(); file.write(json.loads(sys.argv[2]))\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), json.dumps(draft)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_draft_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    with holder(tmp_path, DRAFT) as process:
        # While it lives, its draft is its own.
        other = DraftFile(tmp_path)
        assert other.take_over() is None
        other.release()
        process.kill()
        process.wait()
        mine = DraftFile(tmp_path)
        assert mine.take_over() == DRAFT
        mine.write(None)
        mine.release()
    assert list(tmp_path.glob("*.json")) == []


def test_a_slot_given_back_without_a_draft_is_empty(tmp_path: Path) -> None:
    first = DraftFile(tmp_path)
    assert first.take_over() is None
    first.write(DRAFT)
    first.write(None)
    first.release()
    second = DraftFile(tmp_path)
    assert second.take_over() is None
    second.release()


@pytest.mark.parametrize(
    "text",
    [
        '{"texts": {"Humidity": "24',
        "[1, 2]",
        '{"opened": null}',
        '{"texts": {"Humidity": "24"}, "opened": ["yesterday", "8:00", "A", 1]}',
        '{"texts": {"Humidity": "24"}, "opened": 7}',
        '{"texts": {"Humidity": "24"}, "baseline": [1]}',
        "\x00",
    ],
)
def test_a_damaged_draft_is_kept_aside_for_a_person(tmp_path: Path, text: str) -> None:
    path = tmp_path / "draft-1.json"
    path.write_text(text, encoding="utf-8")
    file = DraftFile(tmp_path)
    assert file.take_over() is None
    file.write(DRAFT)
    file.release()
    assert json.loads(path.read_text(encoding="utf-8")) == DRAFT
    assert [each.read_text(encoding="utf-8") for each in tmp_path.glob("*.damaged*")] == [text]


def test_a_second_damaged_draft_does_not_replace_the_first(tmp_path: Path) -> None:
    for text in ("one{", "two{"):
        (tmp_path / "draft-1.json").write_text(text, encoding="utf-8")
        file = DraftFile(tmp_path)
        assert file.take_over() is None
        file.release()
    assert sorted(each.read_text(encoding="utf-8") for each in tmp_path.glob("*.damaged*")) == ["one{", "two{"]


def test_each_of_many_windows_has_a_slot_of_its_own(tmp_path: Path) -> None:
    files = [DraftFile(tmp_path) for _ in range(SLOTS + 2)]
    assert [file.take_over() for file in files] == [None] * len(files)
    for number, file in enumerate(files):
        file.write({**DRAFT, "texts": {"Humidity": str(number)}})
    # The windows beyond the last slot work too; only their drafts aren't kept.
    assert len(list(tmp_path.glob("draft-*.json"))) == SLOTS
    for file in files:
        file.release()
    found = [DraftFile(tmp_path) for _ in range(SLOTS)]
    drafts = [each.take_over() for each in found]
    assert sorted(int(each["texts"]["Humidity"]) for each in drafts if each) == list(range(SLOTS))
    for each in found:
        each.release()


def test_a_draft_is_for_its_user_alone(tmp_path: Path) -> None:
    file = DraftFile(tmp_path / "drafts")
    file.take_over()
    file.write(DRAFT)
    assert (tmp_path / "drafts").stat().st_mode & 0o077 == 0
    file.release()


def test_a_write_that_fails_keeps_the_earlier_draft(tmp_path: Path) -> None:
    file = DraftFile(tmp_path)
    file.take_over()
    file.write(DRAFT)
    with pytest.raises(TypeError):
        file.write({"texts": {"Humidity": object()}})
    file.release()
    again = DraftFile(tmp_path)
    assert again.take_over() == DRAFT
    again.release()
