"""What the desktop prefers: light or dark, and its dots per inch. Asked in the background, once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass

PATIENCE = 2.0


@dataclass(frozen=True)
class DesktopPreference:
    """``dark``: the desktop is set to dark colours; ``dpi``: its dots per inch, ``None`` where it doesn't tell."""

    dark: bool = False
    dpi: float | None = None


def desktop_preference() -> DesktopPreference:
    """Ask the desktop; what it doesn't say stays at its default. Starts processes: not for the Tk thread."""
    if sys.platform == "win32":
        return DesktopPreference(dark=_windows_is_dark())
    if sys.platform == "darwin":
        return DesktopPreference(dark=_answer("defaults", "read", "-g", "AppleInterfaceStyle").strip() == "Dark")
    scheme = _answer("gsettings", "get", "org.gnome.desktop.interface", "color-scheme")
    dark = "dark" in scheme or os.environ.get("GTK_THEME", "").endswith((":dark", "-dark"))
    return DesktopPreference(dark, dpi_of(_answer("xrdb", "-query")))


def dpi_of(resources: str) -> float | None:
    """Return the ``Xft.dpi`` of an X server's resources, ``None`` where it isn't set or makes no sense."""
    found = re.search(r"^Xft\.dpi:\s*([0-9.]+)\s*$", resources, re.MULTILINE)
    try:
        dpi = float(found[1]) if found else 0.0
    except ValueError:
        return None
    return dpi if 48 <= dpi <= 768 else None


def _answer(*command: str) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _windows_is_dark() -> bool:
    if sys.platform == "win32":
        import winreg

        path = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, path) as key:
                return bool(winreg.QueryValueEx(key, "AppsUseLightTheme")[0] == 0)
        except OSError:
            return False
    return False
