"""The folders of settings, data and logs, and the files that come with the application."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_APPLICATION = "abq-data-entry"
_CONFIG, _DATA = "ABQ_CONFIG_DIR", "ABQ_DATA_DIR"
# XDG Base Directory Specification 0.8: the variable, and the folder below the home folder where it isn't set.
_XDG = {
    "user_config_path": ("XDG_CONFIG_HOME", ".config"),
    "user_data_path": ("XDG_DATA_HOME", ".local/share"),
}


def config_folder(create: bool = False) -> Path:
    """Return the folder of `abq_settings.json`: `ABQ_CONFIG_DIR`, else the platform's configuration folder."""
    return _folder(_CONFIG, "user_config_path", create)


def data_folder(create: bool = False) -> Path:
    """Return the folder of the embedded database and all other data: `ABQ_DATA_DIR`, else the platform's data
    folder."""
    return _folder(_DATA, "user_data_path", create)


def are_usual() -> bool:
    """Return whether settings and data are in the platform's folders, and not in those of the environment variables."""
    return not any(os.environ.get(name) for name in (_CONFIG, _DATA))


def log_folder(create: bool = False) -> Path:
    """Return the folder of the log files, inside the data folder."""
    return _made(data_folder(create) / "log", create)


def bundled_file(name: str) -> Path:
    """Return a file that comes with the application, such as `create_db.sql`.

    In a checkout it lies beside the package, in an installed wheel inside it, in `bundled`.
    Raises FileNotFoundError when it is in neither place.
    """
    package = Path(__file__).resolve().parent
    places = (package.parent / name, package / "bundled" / name)
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"{name} is missing from this installation; looked for {places[0]} and {places[1]}")


@contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to. At the end of the block the file is synced and replaces `path`.

    After an error in the block, or if nothing was written, `path` isn't changed, and the temporary file is removed.
    Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")
    try:
        yield temporary
        if temporary.exists():
            sync_to_disk(temporary)
            temporary.replace(path)
            sync_to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def create_durably(folder: Path) -> None:
    """Create a private folder and its parents, and sync them, so that a power cut can't undo it. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in reversed(missing):
        sync_to_disk(each.parent)


def sync_to_disk(path: Path) -> None:
    """Sync a file to disk, or a folder with the names in it, if the system supports that. Raises OSError."""
    is_folder = path.is_dir()
    if is_folder and os.name != "posix":  # a folder can't be opened for this
        return
    handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _folder(variable: str, of_the_platform: str, create: bool) -> Path:
    named = os.environ.get(variable)
    if named:
        return _made(Path(named).expanduser().absolute(), create)
    plain = _plain_folder(of_the_platform)
    if plain is not None:
        return _made(plain, create)
    import platformdirs

    found: Path = getattr(platformdirs, of_the_platform)(_APPLICATION, appauthor=False)
    return _made(found, create)


def _plain_folder(of_the_platform: str) -> Path | None:
    """Return what platformdirs would, on Linux in the usual case; `None` in all others.

    Importing platformdirs would take a thirtieth of the window's start.
    """
    variable, below_home = _XDG[of_the_platform]
    named, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if sys.platform != "linux" or not Path(named or home).is_absolute():
        return None
    return (Path(named) if named else Path(home, below_home)) / _APPLICATION


def _made(folder: Path, create: bool) -> Path:
    if create:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
