"""The settings: read strictly, never overwritten with less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abq_data_entry import folders
from abq_data_entry.models import SETTINGS, SettingsModel
from abq_data_entry.models import settings as settings_module

FILE = "abq_settings.json"

DEFAULTS = {
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
        "db_host": "server",
        "weather_sation": {"type": "str", "value": "KDCA"},
        "db_name": {"type": "str", "value": "trial"},
    }
    (tmp_path / FILE).write_text(json.dumps(entries))
    settings = SettingsModel(FILE, tmp_path)
    assert (settings["font size"], settings["abq_ftp_port"], settings["db_name"]) == (9, 2100, "trial")
    assert len(settings.problems) == 4
    for name, words in (("font size", "type int, not str"), ("weather_sation", "unknown"), ("db_host", "no value")):
        assert any(f"{name!r}" in each and words in each for each in settings.problems)
    settings.set("theme", "dark")
    settings.save()
    assert {name: written(tmp_path)[name] for name in entries} == entries
    assert written(tmp_path)["theme"]["value"] == "dark"
    settings.set("font size", 12)
    settings.save()
    assert written(tmp_path)["font size"] == {"type": "int", "value": 12}


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"\xff\xfe", b'{"font size": {"type": "int", "value": 9}, "font size": 3}', b"[" * 100_000,
     b" " * 2_000_000],
    ids=["half", "list", "not utf-8", "doubled", "deep", "huge"],
)
def test_a_file_that_can_not_be_read_is_put_aside_before_saving(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    settings = SettingsModel(FILE, tmp_path)
    assert len(settings.problems) == 1 and FILE in settings.problems[0]
    assert settings.values() == {each.name: each.default for each in SETTINGS}
    assert (tmp_path / FILE).read_bytes() == content
    settings.save()
    (aside,) = tmp_path.glob(f"{FILE}.unreadable-*")
    assert aside.read_bytes() == content
    assert SettingsModel(FILE, tmp_path).problems == []


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
