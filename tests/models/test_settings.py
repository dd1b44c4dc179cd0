"""The settings: read strictly, never overwritten with less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry import folders
from abq_data_entry.models import SETTINGS, SettingsModel, settings
from abq_data_entry.models import settings as settings_module

FILE = "abq_settings.json"

DEFAULTS = {
    "old_date_days": 7,
    "backup_keep": 7,
    "backup_keep_weeks": 4,
    "network_timeout": 60,
    "autofill date": True,
    "autofill sheet data": True,
    "font size": 9,
    "theme": "default",
    "db_host": "",
    "db_name": "abq",
    "weather_station": "KBMG",
    "weather_url": "https://forecast.weather.gov/xml/current_obs/{station}.xml",
    "abq_auth_url": "http://localhost:8000/auth",
    "abq_upload_url": "http://localhost:8000/upload",
    "abq_ftp_host": "localhost",
    "abq_ftp_port": 2100,
}


def written(folder: Path) -> dict[str, dict[str, object]]:
    content: dict[str, dict[str, object]] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return content


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = SettingsModel(FILE, tmp_path)
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS
    assert settings.problems == [] and not (tmp_path / FILE).exists()
    assert all(each.problem(each.default) is None for each in SETTINGS)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("abq_upload_name", "../{date}.csv", "without /"),
        ("abq_upload_name", "", "empty"),
        ("abq_upload_name", "{plot}.csv", "not {plot}"),
        ("abq_upload_name", "x" * 500, "too long"),
        ("abq_ftp_folder", "a/../b", ".."),
    ],
)
def test_a_name_or_folder_that_makes_no_sense_is_refused_by_name_and_not_overruled(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    """The default would send the files elsewhere."""
    settings = SettingsModel(FILE, tmp_path)
    with pytest.raises(ValueError, match=name) as caught:
        settings.set(name, value)
    assert words in str(caught.value)
    (tmp_path / FILE).write_text(json.dumps({name: {"type": "str", "value": value}}, indent=1))
    read = SettingsModel(FILE, tmp_path)
    (problem,) = read.problems
    assert name in problem and words in problem and "line 2" in problem and "nothing is delivered" in problem
    assert read[name] == value and not read.doubts
    read.set("font size", 14)
    read.save()
    assert written(tmp_path)[name]["value"] == value


def test_what_is_set_and_saved_is_there_again(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    settings = SettingsModel(FILE, folder)
    settings.set("font size", 14)
    settings.set("weather_station", "KDCA")
    assert SettingsModel(FILE, folder)["font size"] == 9
    settings.save()
    again = SettingsModel(FILE, folder)
    assert (again["font size"], again["weather_station"], again.problems) == (14, "KDCA", [])
    assert written(folder)["font size"] == {"type": "int", "value": 14}
    assert [each.name for each in folder.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("font sise", 9, "no setting 'font sise'"),
        ("font size", "9", "type int, not str"),
        ("font size", True, "type int, not bool"),
        ("font size", 3, "at least 6"),
        ("autofill date", 1, "type bool, not int"),
        ("abq_ftp_port", 65536, "at most 65535"),
        ("theme", None, "type str, not NoneType"),
        ("density", "tiny", "must be one of compact"),
    ],
)
def test_an_impossible_value_is_refused(tmp_path: Path, name: str, value: object, words: str) -> None:
    settings = SettingsModel(FILE, tmp_path)
    before = settings.values()
    with pytest.raises(ValueError, match=words):
        settings.set(name, value)
    assert settings.values() == before


def test_problems_in_the_file_are_named_and_survive_a_save(tmp_path: Path) -> None:
    entries = {
        "font size": {"type": "int", "value": "large"},
        "abq_ftp_port": {"type": "str", "value": 21},
        "weather_station": "KDCA",
        "colour of the moon": {"type": "str", "value": "green"},
        "db_name": {"type": "str", "value": "trial"},
    }
    (tmp_path / FILE).write_text(json.dumps(entries))
    settings = SettingsModel(FILE, tmp_path)
    assert (settings["font size"], settings["abq_ftp_port"], settings["db_name"]) == (9, 2100, "trial")
    assert len(settings.problems) == 4 and settings.doubts == []
    for name, words in (("font size", "type int, not str"), ("colour of the moon", "unknown"),
                        ("weather_station", "no value")):  # fmt: skip
        assert any(f"{name!r}" in each and words in each for each in settings.problems)
    settings.set("theme", "dark")
    settings.save()
    assert {name: written(tmp_path)[name] for name in entries} == entries
    assert written(tmp_path)["theme"]["value"] == "dark"
    settings.set("font size", 12)
    settings.save()
    assert written(tmp_path)["font size"] == {"type": "int", "value": 12}


DOUBTFUL = {
    "half": (b"{", "can't be read"),
    "list": (b"[]", "can't be read"),
    "not utf-8": (b"\xff\xfe", "can't be read"),
    "doubled": (b'{"font size": {"type": "int", "value": 9}, "font size": 3}', "it has the same name twice"),
    "deep": (b"[" * 100_000, "can't be read"),
    "huge": (b" " * 2_000_000, "far too large"),
    "a letter too many": (b'{\n"theme": {"value": "dark"},\n"db_hosst": {"value": "db1"}}',
                          "line 3: the setting 'db_hosst' is unknown: is 'db_host' meant?"),
    "exchanged": (b'{"db_hots": {"value": "db1"}}', "line 1: the setting 'db_hots' is unknown: is 'db_host' meant?"),
    "a blank": (b'{"db host": {"value": "db1"}}', "is 'db_host' meant?"),
    "capitals": (b'{"DB_Host": {"value": "db1"}}', "is 'db_host' meant?"),
    "two letters": (b'{"dbhst": {"value": "db1"}}', "is 'db_host' meant?"),
    "of another setting": (b'{"weather_sation": {"value": "KDCA"}}', "is 'weather_station' meant?"),
    "a wrong type": (b'{"db_port": {"type": "int", "value": 5432}}', "the setting 'db_port' must be of the type str"),
    "no value": (b'{"db_host": "db1"}', "the setting 'db_host' has no value"),
    "no choice": (b'{"db_sslmode": {"value": "verify"}}', "'db_sslmode' must be empty or one of disable, allow"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_doubt_about_the_database_is_reported_and_the_file_stays(tmp_path: Path, name: str) -> None:
    content, words = DOUBTFUL[name]
    (tmp_path / FILE).write_bytes(content)
    settings = SettingsModel(FILE, tmp_path)
    assert len(settings.doubts) == 1 and words in settings.doubts[0] and FILE in settings.doubts[0]
    assert settings.doubts[0] in settings.problems
    settings.set("theme", "dark")
    with pytest.raises(ValueError, match="stays as it is"):
        settings.save()
    assert (tmp_path / FILE).read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


def test_a_doubt_that_came_while_the_program_runs_keeps_the_file_too(tmp_path: Path) -> None:
    settings = SettingsModel(FILE, tmp_path)
    (tmp_path / FILE).write_text('{"db_hots": {"value": "db1"}}')
    settings.set("theme", "dark")
    with pytest.raises(ValueError, match="stays as it is"):
        settings.save()
    assert (tmp_path / FILE).read_text() == '{"db_hots": {"value": "db1"}}'


@given(st.sampled_from([each.name for each in SETTINGS]), st.text("abcdefghij_ ", max_size=30))
def test_names_that_are_no_likely_misspelling_are_only_kept(ours: str, other: str) -> None:
    """A name is doubtful exactly if two letters make it one of ours."""
    assert settings.likely(ours, [ours]) == ours
    assert settings.likely(f"{ours}xyz", [ours]) is None
    assert settings.likely(other, [ours]) == (ours if plain_distance(other, ours) <= 2 else None)


def plain_distance(one: str, other: str) -> int:
    """The same by the book (optimal string alignment), for words that are folded already."""
    one, other = (settings._folded(each) for each in (one, other))
    table = {(row, -1): row + 1 for row in range(-1, len(one))} | {(-1, each): each + 1 for each in range(len(other))}
    for row, letter in enumerate(one):
        for column, another in enumerate(other):
            ways = [table[row - 1, column] + 1, table[row, column - 1] + 1,
                    table[row - 1, column - 1] + (letter != another)]  # fmt: skip
            if row and column and letter == other[column - 1] and one[row - 1] == another:
                ways.append(table[row - 2, column - 2] + 1)
            table[row, column] = min(ways)
    return table[len(one) - 1, len(other) - 1]


def test_what_an_administrator_changed_meanwhile_is_kept(tmp_path: Path) -> None:
    settings = SettingsModel(FILE, tmp_path)
    settings.save()
    entries = written(tmp_path)
    entries["db_host"]["value"] = "server.example"
    (tmp_path / FILE).write_text(json.dumps(entries))
    settings.set("font size", 20)
    settings.save()
    again = SettingsModel(FILE, tmp_path)
    assert (again["db_host"], again["font size"]) == ("server.example", 20)


@pytest.mark.parametrize("second", [("font size", 20), ("autofill date", True)], ids=["another", "the same"])
def test_what_is_set_while_the_file_is_written_is_the_next_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: tuple[str, object]
) -> None:
    settings = SettingsModel(FILE, tmp_path)

    @contextmanager
    def slow_disk(path: Path) -> Iterator[Path]:
        with folders.replacement(path) as temporary:
            yield temporary
            settings.set(*second)

    settings.save()
    settings.set("autofill date", False)
    with monkeypatch.context() as during:
        during.setattr(settings_module, "replacement", slow_disk)
        settings.save()
    assert SettingsModel(FILE, tmp_path)["autofill date"] is False
    settings.save()
    assert SettingsModel(FILE, tmp_path)[second[0]] == second[1]


def test_what_could_not_be_written_is_written_by_the_next_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(path: Path) -> None:
        raise OSError(28, "No space left on device")

    settings = SettingsModel(FILE, tmp_path)
    settings.save()
    settings.set("font size", 20)
    with monkeypatch.context() as during:
        during.setattr(settings_module, "replacement", full_disk)
        with pytest.raises(OSError, match="No space left"):
            settings.save()
    settings.save()
    assert SettingsModel(FILE, tmp_path)["font size"] == 20


def test_without_arguments_it_is_the_file_of_the_configuration_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABQ_CONFIG_DIR", str(tmp_path))
    settings = SettingsModel()
    settings.set("font size", 12)
    settings.save()
    assert SettingsModel(FILE, tmp_path)["font size"] == 12
    assert SettingsModel.variables["font size"] == {"type": "int", "value": 9}  # the default, whatever one file says


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("xxdb_host", True), ("db_hostxx", True), ("_host", True), ("db_ho", True), ("bd_hots", True),
        ("xxxdb_host", False), ("bd_htos_", False), ("host", False), ("bd_hosxx", False),
    ],
)  # fmt: skip
def test_two_letters_anywhere_are_a_misspelling_and_three_are_none(name: str, meant: bool) -> None:
    assert settings.likely(name, ["db_host"]) == ("db_host" if meant else None)


def test_of_several_settings_the_nearest_is_meant() -> None:
    names = ["db_hosts_", "db_host", "db_hasts"]
    for name, meant in (("db_hosts_", 0), ("db_host", 1), ("db_hosts", 0), ("db_hast", 1), ("db_hassts", 2)):
        assert settings.likely(name, names) == names[meant], name


def test_the_line_of_a_setting_is_counted_from_one() -> None:
    for text, line in (('{"a": 1}', 1), ('\n{"a": 1}', 2), ('{"b": "a",\n\n"a" : 1}', 3), ('{"b": "a"}', None)):
        assert settings.line_of("a", text) == line


def test_what_was_set_and_not_saved_is_forgotten_when_the_file_is_read(tmp_path: Path) -> None:
    one, other = SettingsModel(FILE, tmp_path), SettingsModel(FILE, tmp_path)
    one.set("font size", 20)
    one.load()
    assert one["font size"] == one.default("font size") == 9
    other.set("font size", 14)
    other.save()
    one.save()
    assert written(tmp_path)["font size"]["value"] == 14
    with pytest.raises(KeyError):
        one.default("font sise")


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("font size", 6, 48), ("old_date_days", 0, 36500), ("backup_keep", 0, 3650), ("backup_keep_weeks", 0, 520),
        ("network_timeout", 1, 3600),
    ],
)  # fmt: skip
def test_a_number_has_limits(tmp_path: Path, name: str, lowest: int, highest: int) -> None:
    model = SettingsModel(FILE, tmp_path)
    for value in (lowest, highest):
        model.set(name, value)
        assert model[name] == value
    for value, words in ((lowest - 1, f"at least {lowest}"), (highest + 1, f"at most {highest}")):
        with pytest.raises(ValueError, match=words):
            model.set(name, value)


def test_a_file_of_a_million_characters_is_read(tmp_path: Path) -> None:
    entry = b'{"font size": {"type": "int", "value": 12}}'
    (tmp_path / FILE).write_bytes(entry.ljust(1024 * 1024))
    assert SettingsModel(FILE, tmp_path)["font size"] == 12
    (tmp_path / FILE).write_bytes(entry.ljust(1024 * 1024 + 1))
    assert "far too large" in SettingsModel(FILE, tmp_path).doubts[0]
