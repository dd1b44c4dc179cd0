"""The company's file server, by FTP or, if the setting abq_transfer says so, by SFTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...remote_names import folder_problem
from ...setting import Setting
from ..destination import Destination, Settings, Trust, chosen, jump_of, jump_problem

if TYPE_CHECKING:
    from ...stored_destination import StoredDestination
    from ..file_transfer import FtpUploads
    from ..probing import Context, Steps
    from ..remote_files import RemoteFiles
    from ..secure_shell import SftpUploads
    from ..uploads import Uploads


class FileServer(Destination):
    """A file is stored under its name (`file_transfer` for FTP, `secure_shell` for SFTP)."""

    kind, name, title, service, order = "ftp", "FTP", "FTP", "FTP or SFTP server", 2
    key, mac_key = "Control-Shift-F", "Command-Shift-F"
    has_files = True
    modules = ("file_transfer",)  # few use SFTP
    stored_kinds = ("ftp", "ftps", "sftp")
    settings = (
        Setting("abq_ftp_host", "localhost"),
        Setting("abq_ftp_port", 2100, 1, 65535),
        Setting("abq_ftp_folder", "", check=folder_problem),
        Setting("abq_ftp_security", "", choices=("", "none", "explicit", "implicit")),
        Setting("abq_ftp_passive", True),
        Setting("abq_transfer", "ftp", choices=("ftp", "sftp")),
        Setting("abq_sftp_port", 22, 1, 65535),
        Setting("abq_sftp_host_key", ""),
        Setting("abq_sftp_known_hosts", ""),
        Setting("abq_sftp_key_file", ""),
        Setting("abq_sftp_agent", False),
        Setting("abq_sftp_jump", "", check=jump_problem),
    )

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        host, port = _host_and_port(row.address)
        # Port 990 is that of implicit TLS (RFC 4217, appendix A).
        encrypted = "implicit" if port == _IMPLICIT else "explicit"
        return {
            "abq_transfer": "sftp" if row.kind == "sftp" else "ftp",
            "abq_ftp_host": host,
            "abq_ftp_port": port or 21,
            "abq_sftp_port": port or 22,
            "abq_ftp_folder": row.folder,
            "abq_ftp_security": encrypted if row.kind == "ftps" else "none",
            **({"abq_sftp_jump": row.login_address} if row.login_address else {}),
        }

    def address(self, settings: Settings) -> str:
        folder = str(settings["abq_ftp_folder"])
        return f"{_server(settings)}/{folder}" if folder else _server(settings)

    def login_place(self, settings: Settings) -> str:
        return f"{settings['abq_transfer']}://{_server(settings)}"

    def uploads(self, settings: Settings, username: str, password: str) -> Uploads:
        return (_by_sftp if _is_sftp(settings) else _by_ftp)(settings, username, password)

    def remote_files(self, settings: Settings, username: str, password: str) -> RemoteFiles[Any]:
        timeout = chosen(settings)["timeout"]
        if _is_sftp(settings):
            from ..secure_shell import SftpFiles

            return SftpFiles(_by_sftp(settings, username, password), timeout)
        from ..file_transfer import FtpFiles

        return FtpFiles(_by_ftp(settings, username, password), timeout)

    def probe(self, context: Context) -> Steps[None]:
        if _is_sftp(context.settings):
            from ..secure_shell import probe
        else:
            from ..file_transfer import probe
        return probe(self, context)

    def remark(self, settings: Settings) -> str:
        from ..guard import is_loopback

        is_plain = not _is_sftp(settings) and settings["abq_ftp_security"] == "none"
        return "not encrypted" if is_plain and not is_loopback(str(settings["abq_ftp_host"])) else ""

    def trust(self, settings: Settings, fingerprint: str) -> Trust | None:
        if settings["abq_sftp_host_key"]:  # the server's key isn't the one that is set
            return None
        return Trust(str(settings["abq_ftp_host"]), {**settings, "abq_sftp_host_key": fingerprint})


def _is_sftp(settings: Settings) -> bool:
    return settings["abq_transfer"] == "sftp"


def _server(settings: Settings) -> str:
    return f"{settings['abq_ftp_host']}:{settings['abq_sftp_port' if _is_sftp(settings) else 'abq_ftp_port']}"


def _by_ftp(settings: Settings, username: str, password: str) -> FtpUploads:
    from ..file_transfer import FtpUploads

    return FtpUploads(
        str(settings["abq_ftp_host"]),
        int(str(settings["abq_ftp_port"])),
        username,
        password,
        passive=bool(settings["abq_ftp_passive"]),
        folder=str(settings["abq_ftp_folder"]),
        **chosen(settings, security="abq_ftp_security", ca_file="abq_ca_file"),
    )


def _by_sftp(settings: Settings, username: str, password: str) -> SftpUploads:
    from ..secure_shell import SftpUploads

    return SftpUploads(
        str(settings["abq_ftp_host"]),
        int(str(settings["abq_sftp_port"])),
        username,
        password,
        str(settings["abq_sftp_known_hosts"]) or None,
        str(settings["abq_sftp_key_file"]) or None,
        **chosen(settings),
        host_key=str(settings["abq_sftp_host_key"]),
        folder=str(settings["abq_ftp_folder"]),
        jump=jump_of(str(settings["abq_sftp_jump"])),
        agent=bool(settings["abq_sftp_agent"]),
    )


_IMPLICIT = 990


def _host_and_port(address: str) -> tuple[str, int]:
    """Split `host`, `host:port` or `[::1]:port`; without a port it is 0."""
    host, _, port = address.rpartition(":") if address[-1:] != "]" and ":" in address else (address, "", "")
    return host.strip("[]"), int(port or 0)


DESTINATION = FileServer()
