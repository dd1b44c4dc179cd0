"""Where things are kept."""

from pathlib import Path

import platformdirs
import pytest

from abq_data_entry import folders


def test_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ABQ_CONFIG_DIR", str(tmp_path / "c"))
    monkeypatch.setenv("ABQ_DATA_DIR", str(tmp_path / "d"))
    assert folders.config_folder() == tmp_path / "c"
    assert folders.data_folder() == tmp_path / "d"
    assert folders.log_folder() == tmp_path / "d" / "log"
    assert not list(tmp_path.iterdir()), "nothing is made until asked"
    assert folders.log_folder(create=True).is_dir()
    assert folders.data_folder().stat().st_mode & 0o777 == 0o700
    assert folders.config_folder(create=True).is_dir()


def test_relative_and_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABQ_DATA_DIR", "data")
    assert folders.data_folder() == tmp_path / "data"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ABQ_DATA_DIR", "~/data")
    assert folders.data_folder() == tmp_path / "data"


def test_the_platforms_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ABQ_CONFIG_DIR", "ABQ_DATA_DIR"):
        monkeypatch.setenv(variable, "")  # empty counts as not set
    assert folders.config_folder().name == folders.data_folder().name == "abq-data-entry"
    assert folders.data_folder().is_absolute()


@pytest.mark.parametrize("home", ["/home/lab", "/home/lab/", "/home/with space", "relative", ""])
@pytest.mark.parametrize("xdg", [None, "", "/srv/xdg", "/srv/xdg/../other/", "relative", "~/xdg"])
def test_the_plain_case_is_what_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch, home: str, xdg: str | None
) -> None:
    for variable in ("ABQ_CONFIG_DIR", "ABQ_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        if xdg is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, xdg)
    monkeypatch.setenv("HOME", home)
    name = "abq-data-entry"
    assert folders.config_folder() == platformdirs.user_config_path(name, appauthor=False)
    assert folders.data_folder() == platformdirs.user_data_path(name, appauthor=False)


def test_bundled_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "abq_data_entry"
    (package / "bundled").mkdir(parents=True)
    (package / "bundled" / "create_db.sql").write_text("")
    monkeypatch.setattr(folders, "__file__", str(package / "folders.py"))
    assert folders.bundled_file("create_db.sql") == package / "bundled" / "create_db.sql"
    with pytest.raises(FileNotFoundError, match=r"basic_ftp_server\.py is missing"):
        folders.bundled_file("basic_ftp_server.py")
    (package.parent / "create_db.sql").write_text("")  # a checkout's own comes first
    assert folders.bundled_file("create_db.sql") == package.parent / "create_db.sql"


def test_a_replacement_takes_the_place_of_a_file_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError), folders.replacement(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise RuntimeError
    with folders.replacement(path):
        pass  # nothing written
    assert path.read_text(encoding="utf-8") == "old"
    with folders.replacement(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]
