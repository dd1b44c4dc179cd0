"""Real FTP and SSH servers on free loopback ports, each a process of the test's own, ended by its own id."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import programs
from tests.fixtures.ports import free_port

PASSWORD = "staple-9-battery"
# of the password above: openssl passwd -6 -salt abqabqabq
_HASH = "$6$abqabqabq$jKmSWmV.u9QAm3g9QRwSs1jvFk/Obi4vAo3FgE92VXp5qxHpXa8JMUkz9MLHLPFfUNxN5KH/DniYdB1rDKPBk0"
_PATIENCE = 20.0  # seconds for a start on a busy machine


@dataclass(frozen=True)
class RealServer:
    """A running server: where it listens, and the folder that it keeps files in."""

    port: int
    folder: Path
    log: Path
    username: str

    @property
    def commands(self) -> str:
        """What was asked of it, where it writes that down (ProFTPD)."""
        return (self.folder.parent / "commands").read_text()


def program(name: str) -> Path:
    """Return the server program; skips the test that asks for it where it can't be had."""
    found = programs.find(name)
    if found is None:
        pytest.skip(f"{name} isn't here: `python3 -m tests` fetches it where the platform allows")
    return found


@contextlib.contextmanager
def workspace() -> Iterator[tuple[Path, Path]]:
    """A folder for a server's own things, and one for its files, which an unprivileged user can use."""
    outer = Path(tempfile.mkdtemp(prefix="abq-server-"))
    files = outer / "files"
    files.mkdir()
    outer.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(files, *user_and_group())
    try:
        yield outer, files
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def user_and_group() -> tuple[int, int]:
    """Whom the servers work as: this user, or in place of root one with few rights and a home that exists."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    import pwd

    entry = next(each for each in pwd.getpwall() if each.pw_uid != 0 and Path(each.pw_dir).is_dir())
    return entry.pw_uid, entry.pw_gid


def names_of_user_and_group() -> tuple[str, str]:
    import grp
    import pwd

    user, group = user_and_group()
    return pwd.getpwuid(user).pw_name, grp.getgrgid(group).gr_name


@contextlib.contextmanager
def running(
    command: list[str], name: Path, port: int, log: Path, *, humbly: bool = False, host: str = "127.0.0.1"
) -> Iterator[None]:
    """Run a server until the block ends; begins when it listens."""
    whom = user_and_group() if humbly and os.geteuid() == 0 else (None, None)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=programs.environment(name),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=whom[0],
            group=whom[1],
            extra_groups=[] if whom[0] is not None else None,
        )
    try:
        _wait_until_it_listens(process, (host, port), log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", place: tuple[str, int], log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(place, 1):
            return
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"The server didn't start:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)


_VSFTPD_YES = """listen anonymous_enable no_anon_password write_enable anon_upload_enable anon_mkdir_write_enable
    anon_other_write_enable allow_writeable_chroot ssl_enable allow_anon_ssl force_anon_logins_ssl force_anon_data_ssl
    require_ssl_reuse run_as_launching_user"""
_VSFTPD_NO = "background local_enable anon_world_readable_only seccomp_sandbox isolate isolate_network"


@contextlib.contextmanager
def vsftpd(certificate: Path, *lines: str, host: str = "127.0.0.1") -> Iterator[RealServer]:
    """vsftpd that insists on encryption and on the reuse of TLS sessions, for anonymous users."""
    executable = program("vsftpd")
    with workspace() as (outer, files):
        (outer / "empty").mkdir(mode=0o555)
        port = free_port()
        user, _ = names_of_user_and_group()
        configuration = outer / "vsftpd.conf"
        copied = outer / "certificate.pem"
        copied.write_bytes(certificate.read_bytes())
        texts: dict[str, object] = {
            **dict.fromkeys(_VSFTPD_YES.split(), "YES"),
            **dict.fromkeys(_VSFTPD_NO.split(), "NO"),
            **({"listen": "NO", "listen_ipv6": "YES", "listen_address6": host} if ":" in host else {}),
            "listen_address": "127.0.0.1",
            "listen_port": port,
            "anon_umask": "022",
            "anon_root": files,
            "secure_chroot_dir": outer / "empty",
            "ftp_username": user,
            "nopriv_user": user,
            "rsa_cert_file": copied,
            "rsa_private_key_file": copied,
            "ssl_ciphers": "HIGH",
        }
        settings = [f"{name}={value}" for name, value in texts.items()]
        configuration.write_text("\n".join([*settings, *lines, ""]))
        if os.geteuid() == 0:
            for path in (configuration, copied):
                os.chown(path, *user_and_group())  # it takes only its own
        log = outer / "log"
        with running([str(executable), str(configuration)], executable, port, log, humbly=True, host=host):
            yield RealServer(port, files, log, "anonymous")


def loadable(modules: Path) -> str:
    """The lines that load what is built in on one Debian and a file of its own on the next."""
    names = [name for name in ("mod_delay", "mod_ls", "mod_xfer") if (modules / f"{name}.so").is_file()]
    return "\n".join(f"LoadModule {name}.c" for name in ("mod_tls", *names))


def own_parts(executable: Path) -> list[str]:
    """Where the parts are that sshd starts by their absolute paths (OpenSSH 9.8 and later), if they were unpacked."""
    folder = programs.root_of(executable) / "usr/lib/openssh"
    settings = {"SshdSessionPath": folder / "sshd-session", "SshdAuthPath": folder / "sshd-auth"}
    return [f"{name} {path}" for name, path in settings.items() if path.is_file()]


@contextlib.contextmanager
def proftpd(
    certificate: Path, *lines: str, host: str = "127.0.0.1", encrypted: bool = True
) -> Iterator[RealServer]:
    """ProFTPD with its defaults for overwriting (not allowed); `encrypted`: it insists on that."""
    executable = program("proftpd")
    with workspace() as (outer, files):
        port = free_port()
        user, group = names_of_user_and_group()
        numbers = user_and_group()
        users = outer / "users"
        users.write_text(f"lab:{_HASH}:{numbers[0]}:{numbers[1]}::{files}:/bin/false\n")
        users.chmod(0o600)
        configuration = outer / "proftpd.conf"
        modules = programs.root_of(executable) / "usr/lib/proftpd"
        configuration.write_text(f"""\
ModulePath {modules}
{loadable(modules)}
ServerName "test"
ServerType standalone
DefaultAddress {host}
Port {port}
UseIPv6 {"on" if ":" in host else "off"}
User {user}
Group {group}
PidFile {outer}/pid
ScoreboardFile {outer}/scoreboard
DelayTable {outer}/delay
SystemLog {outer}/system.log
TransferLog none
WtmpLog off
AuthUserFile {users}
AuthOrder mod_auth_file.c
RequireValidShell off
{"DefaultRoot ~" if os.geteuid() == 0 else f"DefaultChdir {files}"}
ExtendedLog {outer}/commands ALL
TLSEngine on
TLSLog {outer}/tls.log
TLSRequired {"on" if encrypted else "off"}
TLSRSACertificateFile {certificate}
TLSRSACertificateKeyFile {certificate}
{chr(10).join(lines)}
""")
        log = outer / "log"
        with running([str(executable), "-n", "-q", "-c", str(configuration)], executable, port, log, host=host):
            yield RealServer(port, files, log, "lab")


@dataclass(frozen=True)
class ShellServer(RealServer):
    """sshd with a key for its only user; `host_key` is its own public key as `known_hosts` has it: kind and text."""

    key_file: Path
    host_key: str


def key_generator() -> str:
    """ssh-keygen; skips the test where it can't be had."""
    found = programs.shell_tool("ssh-keygen")
    if found is None:
        pytest.skip("ssh-keygen isn't here")
    return str(found)


@contextlib.contextmanager
def sshd(*lines: str, kind: str = "ed25519", options: str = "") -> Iterator[ShellServer]:
    """OpenSSH's server for SFTP only, which lets its own user in by a key."""
    executable = program("sshd")
    keygen = key_generator()
    with workspace() as (outer, files):
        port = free_port()
        for name, key_kind in (("host_key", kind), ("user_key", "ed25519")):
            generate = [keygen, "-q", "-N", "", "-t", key_kind, "-f", str(outer / name)]
            subprocess.run(generate, check=True, env=programs.environment(executable))
            if os.geteuid() == 0:
                os.chown(outer / name, *user_and_group())
        configuration = outer / "sshd_config"
        configuration.write_text(
            "\n".join(
                [
                    f"Port {port}",
                    "ListenAddress 127.0.0.1",
                    f"HostKey {outer}/host_key",
                    f"AuthorizedKeysFile {outer}/user_key.pub",
                    "PidFile none",
                    "StrictModes no",
                    "UsePAM no",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                    "Subsystem sftp internal-sftp",
                    f"ForceCommand internal-sftp -d {files} {options}",
                    *own_parts(executable),
                    *lines,
                    "",
                ]
            )
        )
        log = outer / "log"
        command = [str(executable), "-D", "-e", "-f", str(configuration)]
        with running(command, executable, port, log, humbly=True):
            public = " ".join((outer / "host_key.pub").read_text().split()[:2])
            user, _ = names_of_user_and_group()
            yield ShellServer(port, files, log, user, outer / "user_key", public)
