"""The application's entry in the desktop's menu, with its icon: for this user, made and removed by `desktop`.

Linux: a `.desktop` file and icons in the user's data folder (freedesktop.org, "Desktop Menu Specification" and "Icon
Theme Specification"). Windows: a link in the Start menu. macOS: a small application bundle in ~/Applications.
"""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .constants import APPLICATION_ID, APPLICATION_NAME
from .version import version

WINDOW_COMMAND = f"{APPLICATION_ID}-window"
"""The installed program that opens the window, on Windows without a console."""

_SIZES = (16, 32, 48, 64, 128, 256)
_IMAGES = Path(__file__).resolve().parent / "images"
_ENTRY = """\
[Desktop Entry]
Type=Application
Version=1.0
Name={name}
Comment=Record a plant laboratory's readings
Exec={command}
Icon={id}
Terminal=false
Categories=Science;
StartupWMClass={window_class}
"""
# Paths are passed in the environment, so that none of them becomes a part of the script.
_WINDOWS_LINK = (
    "$link = (New-Object -ComObject WScript.Shell).CreateShortcut($env:ABQ_LINK); "
    "$link.TargetPath = $env:ABQ_TARGET; $link.Arguments = $env:ABQ_ARGUMENTS; "
    "$link.IconLocation = $env:ABQ_ICON; $link.Save()"
)
_MAC_PROGRAM = '#!/bin/sh\nexec {command}\n'


class ShortcutError(Exception):
    """The entry can't be created here; the text says why."""


def window_command() -> list[str]:
    """Return the program and arguments, with absolute paths, that open the window of this installation or checkout."""
    return _command(WINDOW_COMMAND, _windowed)


def line_command() -> list[str]:
    """As `window_command`, for the command line."""
    return _command(APPLICATION_ID, str)


def _command(name: str, suited: Callable[[str], str]) -> list[str]:
    beside = Path(sys.executable).with_name(name + (".exe" if sys.platform == "win32" else ""))
    launcher = Path(__file__).resolve().parent.parent / "abq_data_entry.py"
    if launcher.is_file():  # a checkout: its launcher keeps .venv up to date
        base = getattr(sys, "_base_executable", "") or sys.executable
        return [suited(os.path.realpath(base) if os.name == "posix" else base), str(launcher)]
    if beside.is_file():
        return [str(beside)]
    return [suited(sys.executable), "-m", "abq_data_entry"]


def _windowed(python: str) -> str:
    """On Windows, the Python that opens no console, if it exists."""
    without_console = Path(python).with_name("pythonw.exe")
    return str(without_console) if sys.platform == "win32" and without_console.is_file() else python


def install(command: list[str] | None = None) -> list[Path]:
    """Create the entry, replacing an earlier one; return the created files. Raises OSError, ShortcutError."""
    command = command or window_command()
    if sys.platform == "win32":
        return _install_on_windows(command)
    if sys.platform == "darwin":
        return [_install_on_mac(command)]
    entry, icons = _linux_files()
    entry.parent.mkdir(parents=True, exist_ok=True)
    for size, icon in zip(_SIZES, icons, strict=True):
        icon.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_IMAGES / f"icon-{size}.png", icon)
    entry.write_text(desktop_entry(command), encoding="utf-8")
    _refresh_linux_menu(entry.parent)
    return [entry]


def remove() -> list[Path]:
    """Remove what `install` has created; return the removed files. Raises OSError."""
    if sys.platform == "win32":
        there = [each for each in _windows_files() if each.is_file()]
        for each in there:
            each.unlink()
        return there[:1]
    if sys.platform == "darwin":
        bundle = _mac_bundle()
        if not bundle.is_dir():
            return []
        shutil.rmtree(bundle)
        return [bundle]
    entry, icons = _linux_files()
    was_there = entry.is_file()
    for each in (entry, *icons):
        each.unlink(missing_ok=True)
    _refresh_linux_menu(entry.parent)
    return [entry] if was_there else []


def is_installed() -> bool:
    """Return whether this user has the entry."""
    if sys.platform == "win32":
        return _windows_files()[0].is_file()
    return _mac_bundle().is_dir() if sys.platform == "darwin" else _linux_files()[0].is_file()


def desktop_entry(command: list[str]) -> str:
    """Return the text of the `.desktop` file."""
    return _ENTRY.format(
        name=APPLICATION_NAME,
        id=APPLICATION_ID,
        command=" ".join(map(_quoted_for_exec, command)),
        window_class="AbqDataEntry",
    )


def _quoted_for_exec(argument: str) -> str:
    """Quote an argument for `Exec`: with backslashes before special characters, escaped again as the value of a key,
    and with percent signs doubled (Desktop Entry Specification)."""
    inside = "".join(f"\\{each}" if each in '"`$\\' else each for each in argument)
    return f'"{inside}"'.replace("\\", "\\\\").replace("%", "%%")


def _linux_files() -> tuple[Path, list[Path]]:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    icons = [data / f"icons/hicolor/{size}x{size}/apps/{APPLICATION_ID}.png" for size in _SIZES]
    return data / f"applications/{APPLICATION_ID}.desktop", icons


def _refresh_linux_menu(folder: Path) -> None:
    """Notify desktops that keep a database of their menus; others notice by themselves."""
    if shutil.which("update-desktop-database") and folder.is_dir():
        subprocess.run(["update-desktop-database", "--quiet", str(folder)], check=False, stdin=subprocess.DEVNULL)


def _windows_files() -> tuple[Path, Path]:
    menu = Path(os.environ["APPDATA"]) / "Microsoft/Windows/Start Menu/Programs"
    return menu / f"{APPLICATION_NAME}.lnk", Path(os.environ["LOCALAPPDATA"]) / APPLICATION_ID / f"{APPLICATION_ID}.ico"


def _install_on_windows(command: list[str]) -> list[Path]:
    from PIL import Image

    link, icon = _windows_files()
    icon.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(_IMAGES / "icon-256.png") as picture:
        picture.save(icon, sizes=[(size, size) for size in _SIZES])
    variables = {"ABQ_LINK": link, "ABQ_TARGET": command[0], "ABQ_ICON": icon,
                 "ABQ_ARGUMENTS": subprocess.list2cmdline(command[1:])}  # fmt: skip
    done = subprocess.run(
        ["powershell", "-NoProfile", "-NonInteractive", "-Command", _WINDOWS_LINK],
        env={**os.environ, **{name: str(text) for name, text in variables.items()}},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode or not link.is_file():
        raise ShortcutError(done.stderr.strip() or "PowerShell made no link")
    return [link]


def _mac_bundle() -> Path:
    return Path.home() / f"Applications/{APPLICATION_NAME}.app"


def _install_on_mac(command: list[str]) -> Path:
    import shlex

    from PIL import Image

    bundle = _mac_bundle()
    shutil.rmtree(bundle, ignore_errors=True)
    programs, resources = bundle / "Contents/MacOS", bundle / "Contents/Resources"
    programs.mkdir(parents=True)
    resources.mkdir()
    program = programs / APPLICATION_ID
    program.write_text(_MAC_PROGRAM.format(command=shlex.join(command)), encoding="utf-8")
    program.chmod(0o755)
    with Image.open(_IMAGES / "icon-256.png") as picture:
        picture.save(resources / f"{APPLICATION_ID}.icns")
    facts = {
        "CFBundleName": APPLICATION_NAME, "CFBundleIdentifier": f"example.abq.{APPLICATION_ID}",
        "CFBundleExecutable": APPLICATION_ID, "CFBundleIconFile": APPLICATION_ID, "CFBundlePackageType": "APPL",
        "CFBundleShortVersionString": version(), "NSHighResolutionCapable": True,
    }  # fmt: skip
    (bundle / "Contents/Info.plist").write_bytes(plistlib.dumps(facts))
    return bundle
