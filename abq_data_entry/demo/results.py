"""The folder that the demo leaves behind."""

import shutil
from pathlib import Path

from . import DemoFailed

MARKER = ".made-by-the-demo"
_MOST_FOLDERS = 100


def results_folder(asked: Path | None) -> Path:
    """An empty folder for the results; one of an earlier demo is replaced, anybody else's is left alone.

    Default: `demo` in the checkout, or in the current folder when the application was installed. Where the name is
    taken by something else it gets a number. Raises DemoFailed.
    """
    wanted = (asked or _default()).absolute()
    for number in range(1, _MOST_FOLDERS):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if _is_ours(folder) or not folder.exists():
            return _made_empty(folder)
    raise DemoFailed(f"{wanted} and the names after it are taken. Name another folder with --folder.")


def _default() -> Path:
    checkout = Path(__file__).resolve().parents[2]
    return (checkout if (checkout / "abq_data_entry.py").is_file() else Path.cwd()) / "demo"


def _is_ours(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return (folder / MARKER).is_file() or not any(folder.iterdir())


def _made_empty(folder: Path) -> Path:
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / MARKER).write_text("The next demo replaces this folder.\n", encoding="utf-8")
    except OSError as error:
        raise DemoFailed(f"{folder} can't be written: {error.strerror}. Name another folder with --folder.") from error
    return folder
