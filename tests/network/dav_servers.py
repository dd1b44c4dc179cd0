"""Real WebDAV servers on free loopback ports: Apache with mod_dav, and nginx with its two modules for it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import programs
from tests.fixtures.ports import free_port
from tests.network.real_servers import RealServer, names_of_user_and_group, program, running, workspace

USERNAME, PASSWORD = "lab", "staple-9-battery"
_REALM = "files"
_MODULES = (
    "mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "auth_digest", "dav", "dav_fs",
    "dav_lock", "socache_shmcb", "ssl", "headers", "dir", "mime",
)  # fmt: skip


@dataclass(frozen=True)
class DavServer(RealServer):
    """A running server; `url` is the address of its folder."""

    url: str


@contextlib.contextmanager
def apache(digest: bool = False, certificate: Path | None = None, block: str = "") -> Iterator[DavServer]:
    """Apache's mod_dav; `block` takes the place of our part for its folder, with the paths of the documents."""
    executable = program("apache2")
    modules = programs.root_of(executable) / "usr/lib/apache2/modules"
    with workspace() as (outer, files):
        port = free_port()
        outer.chmod(0o777)  # its locks and its process id lie there
        secret = f"{USERNAME}:{_REALM}:{PASSWORD}"
        (outer / "digest").write_text(f"{USERNAME}:{_REALM}:{hashlib.md5(secret.encode()).hexdigest()}\n")
        (outer / "basic").write_text(f"{USERNAME}:{_sha(PASSWORD)}\n")
        (outer / "types").write_text("text/csv csv\n")
        kind, provider = ("Digest", "AuthDigestProvider") if digest else ("Basic", "AuthBasicProvider")
        tls = []
        if certificate is not None:
            (outer / "certificate.pem").write_bytes(certificate.read_bytes())
            (outer / "certificate.pem").chmod(0o644)
            tls = ["SSLEngine on", f"SSLCertificateFile {outer}/certificate.pem"]
        user, group = names_of_user_and_group()
        texts = [
            *(f"LoadModule {each}_module {modules}/mod_{each}.so" for each in _MODULES
              if (modules / f"mod_{each}.so").is_file()),
            f"User {user}", f"Group {group}", "ServerName 127.0.0.1", f"Listen 127.0.0.1:{port}",
            f"DefaultRuntimeDir {outer}", f"PidFile {outer}/pid", f"ErrorLog {outer}/log", f"TypesConfig {outer}/types",
            f"Mutex file:{outer}", f"DavLockDB {outer}/locks", f"DocumentRoot {files}", *tls,
        ]  # fmt: skip
        own = [
            f"<Directory {files}>", "Dav On", f"AuthType {kind}", f'AuthName "{_REALM}"', f"{provider} file",
            f"AuthUserFile {outer}/{kind.lower()}", "Require valid-user", "</Directory>",
        ]  # fmt: skip
        told = block.replace("/srv/dav/lab", str(files)).replace("/etc/apache2/lab.users", f"{outer}/basic")
        texts += [told] if block else own
        configuration = outer / "apache.conf"
        configuration.write_text("\n".join([*texts, ""]))
        log = outer / "log"
        log.touch()
        log.chmod(0o666)
        command = [str(executable), "-d", str(outer), "-f", str(configuration), "-DFOREGROUND"]
        with running(command, executable, port, log, humbly=True):
            scheme = "http" if certificate is None else "https"
            yield DavServer(port, files, log, USERNAME, f"{scheme}://127.0.0.1:{port}/")


@contextlib.contextmanager
def nginx(*lines: str, whole: bool = True, block: str = "") -> Iterator[DavServer]:
    """nginx; `whole`: with the module that has PROPFIND, which isn't its own; `block` as for Apache."""
    executable = program("nginx")
    module = programs.root_of(executable) / "usr/lib/nginx/modules/ngx_http_dav_ext_module.so"
    with workspace() as (outer, files):
        port = free_port()
        outer.chmod(0o777)
        (outer / "basic").write_text(f"{USERNAME}:{_sha(PASSWORD)}\n")
        temporary = " ".join(
            f"{kind}_temp_path {outer}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        methods = "dav_ext_methods PROPFIND OPTIONS;" if whole else ""
        more = " ".join(lines) or "client_max_body_size 0;"
        location = f"location / {{ dav_methods PUT DELETE MKCOL COPY MOVE; {methods} {more} }}"
        told = block.replace("/srv/dav", str(files)).replace("/etc/nginx/lab.users", f"{outer}/basic")
        configuration = outer / "nginx.conf"
        configuration.write_text(f"""\
{f"load_module {module};" if whole else ""}
daemon off; pid {outer}/pid; error_log {outer}/log; worker_processes 1;
events {{ }}
http {{
  access_log off; {temporary}
  server {{
    listen 127.0.0.1:{port}; root {files};
    auth_basic "{_REALM}"; auth_basic_user_file {outer}/basic;
    {told or location}
  }}
}}
""")
        log = outer / "log"
        log.touch()
        log.chmod(0o666)
        with running([str(executable), "-c", str(configuration), "-e", str(log)], executable, port, log, humbly=True):
            yield DavServer(port, files, log, USERNAME, f"http://127.0.0.1:{port}/")


def _sha(password: str) -> str:
    return f"{{SHA}}{base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()}"
