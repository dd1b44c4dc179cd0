"""The network protocols: weather feeds and destinations such as REST, FTP and SFTP. No Tk, no database.

Everything is imported at its first use, so that importing this package doesn't slow down the start:

- `get_local_weather(station, url=WEATHER_URL, …)`: one observation as a dict of texts.
- `fetch_observation(settings, …)`: the same from the first source that has it (`weather_sources`).
- `upload_to_corporate_rest(filepath, upload_url, auth_url, username, password, …)`
- `upload_to_corporate_ftp(filepath, ftp_host, ftp_port, ftp_user, ftp_pass, …)`
- `upload_to_corporate_sftp(filepath, host, port, username, password, …)`; `HostKeyUnknown`, `HostKeyChanged`
- `RestUploads`, `FtpUploads`, `SftpUploads`: the same for many files over one login (`Uploads`).
- `ftp_security(host, security)`: whether a delivery would be encrypted, and how.
- `describe_failure(error)`: what went wrong, as sentences for users; `Cancelled`, `WeatherError`, `WeatherBusy`.
- `Pauses(path)`: until when a busy server wants no request (Retry-After).
- `requests` and `ftp` (= `ftplib`), so that a caller can catch `network.requests.RequestException` and
  `network.ftp.all_errors`.
"""

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ftplib as ftp

    import requests

    from .failures import (
        Cancelled,
        FileChanged,
        InvalidInput,
        Pauses,
        UserFacingError,
        WeatherBusy,
        WeatherError,
        describe_failure,
    )
    from .file_transfer import FtpUploads, TransferIncomplete, ftp_security, upload_to_corporate_ftp
    from .guard import is_loopback
    from .rest import RestUploads, upload_to_corporate_rest
    from .secure_shell import SftpUploads, upload_to_corporate_sftp
    from .shell_session import HostKeyChanged, HostKeyUnknown, LoginRefused
    from .uploads import Uploads
    from .weather import WEATHER_URL, fetch_observation, get_local_weather

__all__ = [
    "WEATHER_URL",
    "Cancelled",
    "FileChanged",
    "FtpUploads",
    "HostKeyChanged",
    "HostKeyUnknown",
    "InvalidInput",
    "LoginRefused",
    "Pauses",
    "RestUploads",
    "SftpUploads",
    "TransferIncomplete",
    "Uploads",
    "UserFacingError",
    "WeatherBusy",
    "WeatherError",
    "describe_failure",
    "fetch_observation",
    "ftp",
    "ftp_security",
    "get_local_weather",
    "is_loopback",
    "requests",
    "upload_to_corporate_ftp",
    "upload_to_corporate_rest",
    "upload_to_corporate_sftp",
]

_MODULES = {"requests": "requests", "ftp": "ftplib"}
_HOMES = {
    "Cancelled": "failures",
    "FileChanged": "failures",
    "FtpUploads": "file_transfer",
    "HostKeyChanged": "shell_session",
    "HostKeyUnknown": "shell_session",
    "InvalidInput": "failures",
    "LoginRefused": "shell_session",
    "Pauses": "failures",
    "RestUploads": "rest",
    "SftpUploads": "secure_shell",
    "UserFacingError": "failures",
    "TransferIncomplete": "file_transfer",
    "Uploads": "uploads",
    "WEATHER_URL": "weather",
    "WeatherBusy": "failures",
    "WeatherError": "failures",
    "describe_failure": "failures",
    "fetch_observation": "weather",
    "ftp_security": "file_transfer",
    "get_local_weather": "weather",
    "is_loopback": "guard",
    "upload_to_corporate_ftp": "file_transfer",
    "upload_to_corporate_rest": "rest",
    "upload_to_corporate_sftp": "secure_shell",
}


def __getattr__(name: str) -> object:
    """Import a name at its first use, and keep it for the next one (PEP 562)."""
    value: object
    if name not in _MODULES and name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        if name in _MODULES:
            value = importlib.import_module(_MODULES[name])
        else:
            value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        raise _package_missing(error) from None
    globals()[name] = value
    return value


def _package_missing(error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return the error with the command to type: usually the wrong Python was started."""
    from pathlib import Path

    checkout = Path(__file__).resolve().parents[2]
    python = checkout / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if python.is_file():
        line = f"Start it with {python}"
    elif (checkout / "abq_data_entry.py").is_file():
        line = f"Type once: {sys.executable} {checkout / 'abq_data_entry.py'} and then start it with {python}"
    else:
        line = f"Type: {sys.executable} -m pip install {error.name}"
    return ModuleNotFoundError(f"This Python lacks the package {error.name}. {line}", name=error.name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
