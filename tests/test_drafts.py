"""Drafts on disk: what a crash leaves, what is damaged, and many windows at once."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from abq_data_entry.store.database import StoreError, StoreNewer
from abq_data_entry.store.drafts import FORMAT, SLOTS, Content, DraftFile

ROOT = Path(__file__).resolve().parent.parent
DRAFT = {"texts": {"Humidity": "24.09", "Notes": "leaf\nspots °"}, "opened": None, "baseline": {}}


def of_plot(plot: int, humidity: str = "24.09") -> dict[str, object]:
    """A draft that says which plot it is of."""
    key = {"Date": "2026-11-21", "Time": "8:00", "Lab": "A", "Plot": str(plot)}
    return {"texts": {**key, "Humidity": humidity}, "opened": None}


def of_dialog(title: str, words: str) -> dict[str, object]:
    """What somebody typed into a dialog about the whole window."""
    words_of = {"typed": [words], "words": words}
    return {"title": title, "about": '""', "person": "J Simms", "database": "abq", **words_of}


@contextmanager
def holder(folder: Path, draft: object) -> Iterator[subprocess.Popen[str]]:
    """A process that took a slot and wrote a draft into it, and holds on."""
    code = (
        "import json, sys; from pathlib import Path\n"
        "from abq_data_entry.store.drafts import Content, DraftFile\n"
        "file = DraftFile(Path(sys.argv[1])); file.take_over(); file.write(Content((), json.loads(sys.argv[2])))\n"
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
        assert other.take_over() == Content()
        other.release()
        process.kill()
        process.wait()
        mine = DraftFile(tmp_path)
        assert mine.take_over() == Content((), DRAFT)
        mine.write(None)
        mine.release()
    last = DraftFile(tmp_path)
    assert last.take_over() == Content()
    last.release()


def test_a_slot_given_back_without_a_draft_is_empty(tmp_path: Path) -> None:
    first = DraftFile(tmp_path)
    assert first.take_over() == Content()
    first.write(Content((), DRAFT))
    first.write(None)
    first.release()
    second = DraftFile(tmp_path)
    assert second.take_over() == Content()
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
    assert file.take_over() == Content()
    assert len(file.problems) == 1
    file.write(Content((), DRAFT))
    file.release()
    again = DraftFile(tmp_path)
    assert again.take_over() == Content((), DRAFT) and not again.problems
    again.release()
    assert [each.read_text(encoding="utf-8") for each in tmp_path.glob("*.damaged*")] == [text]


@pytest.mark.parametrize("words", ["half an emoji: \ud83d", "\udc9f", "a\x00b", "🌱 \u202eשלום\u2028\r\n\t"])
def test_whatever_a_text_box_can_hold_is_kept(tmp_path: Path, words: str) -> None:
    file, other = DraftFile(tmp_path), DraftFile(tmp_path)
    file.take_over()
    content = Content(in_form=of_plot(3, words), dialogs=(of_dialog("Note", words),))
    file.write(content)
    file.release()
    assert other.take_over() == content
    other.release()


def test_a_second_damaged_draft_does_not_replace_the_first(tmp_path: Path) -> None:
    for text in ("one{", "two{"):
        (tmp_path / "draft-1.json").write_text(text, encoding="utf-8")
        file = DraftFile(tmp_path)
        assert file.take_over() == Content()
        file.release()
    assert sorted(each.read_text(encoding="utf-8") for each in tmp_path.glob("*.damaged*")) == ["one{", "two{"]


def test_each_of_many_windows_has_a_slot_of_its_own(tmp_path: Path) -> None:
    files = [DraftFile(tmp_path) for _ in range(SLOTS + 2)]
    assert [file.take_over() for file in files] == [Content()] * len(files)
    for number, file in enumerate(files):
        file.write(Content((), {**DRAFT, "texts": {"Humidity": str(number)}}))
    # The windows beyond the last slot work too; only their drafts aren't kept.
    for file in files:
        file.release()
    found = [DraftFile(tmp_path) for _ in range(SLOTS)]
    drafts = [each.take_over() for each in found]
    shown = [each.in_form["texts"]["Humidity"] for each in drafts if each.in_form]
    assert sorted(map(int, shown)) == list(range(SLOTS))  # what has no plot isn't put together
    for each in found:
        each.release()


def test_a_draft_is_for_its_user_alone(tmp_path: Path) -> None:
    file = DraftFile(tmp_path / "drafts")
    file.take_over()
    file.write(Content((), DRAFT))
    assert (tmp_path / "drafts").stat().st_mode & 0o077 == 0
    file.release()


def test_a_write_that_fails_keeps_the_earlier_draft(tmp_path: Path) -> None:
    file = DraftFile(tmp_path)
    file.take_over()
    file.write(Content((), DRAFT))
    with pytest.raises(TypeError):
        file.write(Content((), {"texts": {"Humidity": object()}}))
    file.release()
    again = DraftFile(tmp_path)
    assert again.take_over() == Content((), DRAFT)
    again.release()


def test_the_drafts_of_all_windows_that_are_gone_are_found(tmp_path: Path) -> None:
    first, second = DraftFile(tmp_path), DraftFile(tmp_path)
    first.take_over()
    second.take_over()
    note, reason, another = of_dialog("Note", "Wet."), of_dialog("Move", "wrong plot"), of_dialog("Note", "Dry.")
    first.write(Content((of_plot(3),), of_plot(4), dialogs=(note,)))
    second.write(Content((of_plot(7), of_plot(4, "25")), DRAFT, dialogs=(reason, another)))
    first.release()
    second.release()
    one = DraftFile(tmp_path)
    found = one.take_over()
    assert found[:3] == Content((of_plot(3), of_plot(7)), of_plot(4))[:3]
    assert sorted(found.dialogs, key=str) == sorted((note, reason), key=str)
    # Two are of the same plot, two of the same dialog, and one says no plot: they are for the next window.
    other = DraftFile(tmp_path)
    assert other.take_over() == Content((of_plot(4, "25"),), DRAFT, dialogs=(another,))
    one.release()
    other.release()


def test_the_draft_of_an_earlier_version_is_taken_over_once(tmp_path: Path) -> None:
    (tmp_path / "draft-1.json").write_text(json.dumps(of_plot(3)), encoding="utf-8")
    file = DraftFile(tmp_path)
    assert file.take_over() == Content((), of_plot(3))
    file.write(Content((of_plot(3),)))
    file.release()
    assert [each.name for each in tmp_path.glob("draft-1.taken-over")] == ["draft-1.taken-over"]
    again = DraftFile(tmp_path)
    assert again.take_over() == Content((of_plot(3),))
    again.release()


def test_drafts_of_a_newer_version_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "drafts-1.json"
    path.write_text(json.dumps({"format": FORMAT + 1, "what": "ever"}), encoding="utf-8")
    before = path.read_bytes()
    file = DraftFile(tmp_path)
    assert file.take_over() == Content()
    file.write(Content((of_plot(3),)))
    file.release()
    assert path.read_bytes() == before
    again = DraftFile(tmp_path)
    assert again.take_over() == Content((of_plot(3),))
    again.release()


def test_a_window_of_a_version_before_keeps_its_drafts_until_it_ends(tmp_path: Path) -> None:
    (tmp_path / "drafts-1.json").write_text(json.dumps({"format": FORMAT, "kept": [of_plot(3)], "in_form": None}))
    held = FileLock(tmp_path / "draft-1.lock")
    with held:
        first = DraftFile(tmp_path)
        assert first.take_over() == Content() and (tmp_path / "drafts-1.json").exists()
        first.write(Content((of_plot(4),)))
    second = DraftFile(tmp_path)
    assert second.take_over() == Content((of_plot(3),))
    assert (tmp_path / "drafts-1.taken-over").exists() and not (tmp_path / "drafts-1.json").exists()
    first.release()
    second.release()


def test_killed_after_the_take_over_and_before_the_old_file_has_its_other_name(tmp_path: Path) -> None:
    old = {"format": FORMAT, "kept": [of_plot(3)], "in_form": DRAFT, "ahead": [{"keys": []}]}
    for _ in range(2):
        (tmp_path / "drafts-1.json").write_text(json.dumps(old), encoding="utf-8")
        file = DraftFile(tmp_path)
        assert file.take_over() == Content((of_plot(3),), DRAFT, ({"keys": []},))
        file.release()


@pytest.mark.parametrize("seed", range(12))
def test_drafts_in_a_damaged_file_are_found_as_far_as_they_can_be_read(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    file = DraftFile(tmp_path)
    file.take_over()
    kept = tuple(of_plot(plot, humidity=f"{plot}.00") for plot in range(1, 21))
    dialogs = tuple(of_dialog(f"Title {number}", "Half a sentence") for number in range(5))
    file.write(Content(kept, DRAFT, dialogs=dialogs))
    file.release()
    path = tmp_path / "drafts.sqlite"
    data = bytearray(path.read_bytes())
    page = chance.randrange(len(data) // 4096)
    for _ in range(5):
        data[page * 4096 + chance.randrange(4096)] = chance.randrange(256)
    path.write_bytes(data)
    after = DraftFile(tmp_path)
    try:
        found = after.take_over()
    except StoreNewer:
        return  # the version's number was hit
    assert len(found.kept) >= 15 and all(each in kept for each in found.kept)
    assert all(each in dialogs for each in found.dialogs)
    assert len(found.kept) + len(found.dialogs) == 25 or after.problems
    after.write(found)
    after.release()
    again = DraftFile(tmp_path)
    assert again.take_over() == found
    again.release()
    assert not after.problems or list(tmp_path.glob("*damaged-*"))


def test_a_file_of_a_newer_version_is_reported_and_not_changed(tmp_path: Path) -> None:
    file = DraftFile(tmp_path)
    file.take_over()
    file.write(Content((of_plot(3),)))
    file.release()
    path = tmp_path / "drafts.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    other = DraftFile(tmp_path)
    for ask in (other.take_over, lambda: other.write(Content((of_plot(4),)))):
        with pytest.raises(StoreNewer, match="newer version"):
            ask()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        {"place": "somewhere", "draft": of_plot(3)},
        {"place": "dialog", "draft": {**of_dialog("Note", "Wet."), "about": "{"}},
        {"place": "dialog", "draft": {**of_dialog("Note", "Wet."), "typed": [7]}},
        {"place": "dialog", "draft": of_plot(3)},
    ],
)
def test_a_row_that_this_version_does_not_understand_is_kept_aside(tmp_path: Path, content: object) -> None:
    text = json.dumps(content)
    file = DraftFile(tmp_path)
    file.take_over()
    with file.database.opened() as connection:
        row = (text, hashlib.sha256(text.encode()).hexdigest())
        connection.execute("INSERT INTO drafts (slot, content, digest) VALUES (1, ?, ?)", row)
    file.release()
    again = DraftFile(tmp_path)
    assert again.take_over() == Content()
    again.release()
    (aside,) = tmp_path.glob("*.damaged*")
    assert aside.read_text(encoding="utf-8") == text
    assert again.problems == [f"What was half typed can't be read. It was put aside: {aside}."]


def test_a_window_whose_disk_refused_at_the_start_keeps_its_drafts_later(tmp_path: Path) -> None:
    earlier = DraftFile(tmp_path)
    earlier.take_over()
    earlier.write(Content((of_plot(3),)))
    earlier.release()
    (tmp_path / "drafts.lock").unlink(missing_ok=True)
    (tmp_path / "drafts.lock").mkdir()
    file = DraftFile(tmp_path)
    with pytest.raises(StoreError):
        file.take_over()
    (tmp_path / "drafts.lock").rmdir()
    file.write(Content((of_plot(4),)))
    file.release()
    last = DraftFile(tmp_path)
    assert last.take_over() == Content((of_plot(3), of_plot(4)))
    last.release()
