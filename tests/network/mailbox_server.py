"""A real mailbox on loopback: Dovecot, with IMAP and POP3, encrypted and not; a process of the test's own."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import programs
from tests.fixtures.ports import free_port
from tests.network.real_servers import names_of_user_and_group, program, running, user_and_group, workspace

USERNAME, PASSWORD = "lab@example.com", 'Wäll "paper"\\7'

_OF_2_3 = """\
protocols = imap pop3
import_environment = $import_environment LD_LIBRARY_PATH
ssl_cert = <{certificate}
ssl_key = <{certificate}
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {outer}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={files}
}}
mail_location = maildir:{files}/mail
"""
_OF_2_4 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols {{
  imap = yes
  pop3 = yes
}}
import_environment {{
  LD_LIBRARY_PATH = %{{env:LD_LIBRARY_PATH}}
}}
ssl_server_cert_file = {certificate}
ssl_server_key_file = {certificate}
auth_allow_cleartext = yes
passdb passwd-file {{
  passwd_file_path = {outer}/users
  default_password_scheme = PLAIN
}}
userdb static {{
  fields {{
    uid = {user}
    gid = {group}
    home = {files}
  }}
}}
mail_driver = maildir
mail_path = {files}/mail
"""
_OF_BOTH = """\
listen = 127.0.0.1
base_dir = {run}
state_dir = {run}
instance_name = abq-test
log_path = {log}
libexec_dir = {programs}
mail_plugin_dir = {programs}/modules
login_plugin_dir = {programs}/modules/login
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 0
ssl = yes
auth_mechanisms = plain login
mailbox_idle_check_interval = 1 s
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
service anvil {{
  chroot =
}}
service config {{
  executable = config -c {outer}/dovecot.conf
}}
"""
_CONFIGURATIONS = {"2.3": _OF_2_3 + _OF_BOTH, "2.4": _OF_2_4 + _OF_BOTH}
"""By version: the names of settings have changed."""


@dataclass(frozen=True)
class Mailbox:
    """A running server, and the folder of its mails (Maildir)."""

    ports: dict[str, int]
    folder: Path
    log: Path

    def address(self, scheme: str, folder: str = "") -> str:
        """As the setting has it."""
        return f"{scheme}://127.0.0.1:{self.ports[scheme]}{'/' + folder if folder else ''}"

    def put(self, content: bytes, folder: str = "") -> str:
        """Let a mail arrive; return the name of its file."""
        name = f"{secrets.token_hex(12)}.test"
        box = self.folder / (f".{folder}" if folder else "")
        for each in ("cur", "new", "tmp"):
            (box / each).mkdir(parents=True, exist_ok=True)
            os.chown(box / each, *user_and_group())
        os.chown(box, *user_and_group())
        path = box / "tmp" / name
        path.write_bytes(content)
        os.chown(path, *user_and_group())
        path.rename(box / "new" / name)
        return name

    def clear(self) -> None:
        """Take all mails away."""
        for path in [*self.folder.glob("**/cur/*"), *self.folder.glob("**/new/*")]:
            path.unlink()

    def kept(self, folder: str = "") -> list[str]:
        """The names of the files of all mails; what was read or deleted has marks behind its name."""
        box = self.folder / (f".{folder}" if folder else "")
        return sorted(path.name for each in ("cur", "new") for path in (box / each).glob("*"))


@contextlib.contextmanager
def mailbox_server(certificate: Path) -> Iterator[Mailbox]:
    """Run a server. Skips the test where it can't be had, or is of a version whose settings aren't known here."""
    dovecot = program("dovecot")
    environment = programs.environment(dovecot)
    version = subprocess.run(
        [dovecot, "--version"], env=environment, capture_output=True, text=True, check=False, timeout=60
    ).stdout
    configuration = _CONFIGURATIONS.get(version[:3])
    if configuration is None:
        pytest.skip(f"the settings of dovecot {version.strip() or 'without a version'} aren't known here")
    with workspace() as (outer, files):
        user, group = names_of_user_and_group()
        ports = {name: free_port() for name in ("imap", "imaps", "pop3", "pop3s")}
        own = outer / "server.pem"
        own.write_bytes(certificate.read_bytes())
        own.chmod(0o600)
        (outer / "users").write_text(f"{USERNAME}:{{PLAIN}}{PASSWORD}\n", "utf-8")
        settings = outer / "dovecot.conf"
        settings.write_text(
            configuration.format(
                run=outer / "run", log=outer / "log", programs=programs.root_of(dovecot) / "usr/lib/dovecot",
                user=user, group=group, certificate=own, outer=outer, files=files, **ports,
            )
        )  # fmt: skip
        # By itself it would look for doveconf at an absolute path.
        reader, place, itself = str(dovecot.parents[1] / "bin/doveconf"), str(settings), str(dovecot)
        command = {
            "2.3": [reader, "-f", "service=master", "-c", place, "-m", "master", "-e", itself, "-F"],
            "2.4": [reader, "-c", place, "-C", "-F", itself, "-F", "-c", place],
        }[version[:3]]
        mailbox = Mailbox(ports, files / "mail", outer / "log")
        with _modules_found(dovecot, outer) as found, running(
            ["/usr/bin/env", f"LD_LIBRARY_PATH={found}", *command], dovecot, ports["imap"], outer / "output"
        ):
            mailbox.folder.mkdir(exist_ok=True)
            os.chown(mailbox.folder, *user_and_group())
            yield mailbox


@contextlib.contextmanager
def _modules_found(dovecot: Path, outer: Path) -> Iterator[str]:
    """Where the program finds its libraries; give its main one another place of the modules, among them that for TLS.

    That place is written into the library; a link of a name that is short enough stands in for it.
    """
    own = programs.root_of(dovecot) / "usr/lib/dovecot"
    environment = programs.environment(dovecot).get("LD_LIBRARY_PATH", "")
    if not (own / "libdovecot.so.0").exists() or own == Path("/usr/lib/dovecot"):
        yield environment
        return
    written = b"/usr/lib/dovecot/modules"
    link = Path("/tmp") / f"abq-{secrets.token_hex(6)}"
    link.symlink_to(own / "modules")
    try:
        changed = (own / "libdovecot.so.0").read_bytes().replace(
            written + b"\0", str(link).encode().ljust(len(written), b"\0") + b"\0"
        )  # fmt: skip
        (outer / "libraries").mkdir()
        (outer / "libraries/libdovecot.so.0").write_bytes(changed)
        yield os.pathsep.join((str(outer / "libraries"), str(own), str(own / "modules/old-stats"), environment))
    finally:
        link.unlink()
