"""Real servers behind the proxy that breaks connections, and our uploads to them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from abq_data_entry import network
from tests.fixtures.servers import bundled_server

from .certificates import Authority
from .fault_proxy import ADDRESS, FaultProxy, fault_proxy, row_of_ports
from .real_servers import PASSWORD, RealServer, proftpd, sshd, vsftpd


@dataclass(frozen=True)
class Server:
    """A real server behind the proxy; `name`, `arguments`, `options`: of our uploads to it, as JSON could hold them."""

    kind: str
    folder: Path
    proxy: FaultProxy
    name: str
    arguments: Sequence[object]
    options: Mapping[str, object]

    def uploads(self, **options: object) -> network.Uploads:
        uploads: network.Uploads = getattr(network, self.name)(*self.arguments, **{**self.options, **options})
        return uploads

    def files(self) -> dict[str, bytes]:
        found = {}
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # the server has just removed it
                found[path.name] = path.read_bytes()
        return found


_RESTARTS = ("AllowStoreRestart on", "AllowOverwrite on")


@contextlib.contextmanager
def behind_the_proxy(kind: str, trusted: Authority, folder: Path, timeout: float = 10.0) -> Iterator[Server]:
    """Run a server of that kind, its certificate, if any, issued by `trusted`.

    Kinds: rest, bundled (FTP), bundled with TLS, vsftpd, proftpd, proftpd without restarts (its defaults), sshd.
    """
    if kind == "rest":
        with _rest(folder, timeout) as server:
            yield server
        return
    ports = row_of_ports()
    with contextlib.ExitStack() as stack:
        certificate = trusted.issue(ADDRESS)
        user, password, security = "test", "test", "explicit"
        if kind.startswith("bundled"):
            words = ["--passive-ports", f"{ports[0]}-{ports[-1]}"]
            words += ["--certificate", str(certificate)] if "TLS" in kind else []
            security = "explicit" if "TLS" in kind else "none"
            bundled = stack.enter_context(bundled_server("basic_ftp_server.py", *words, workspace=folder))
            port, files = bundled.port, bundled.folder
        elif kind == "sshd":
            shell = stack.enter_context(sshd())
            proxy = stack.enter_context(fault_proxy(shell.port))
            known = folder / "known_hosts"
            known.write_text(f"[{ADDRESS}]:{shell.port} {shell.host_key}\n")
            login = [ADDRESS, shell.port, shell.username, "", str(known), str(shell.key_file)]
            yield Server(kind, shell.folder, proxy, "SftpUploads", login, {"timeout": timeout})
            return
        else:
            running = stack.enter_context(_started(kind, certificate, ports))
            port, files, user, password = running.port, running.folder, running.username, PASSWORD
        proxy = stack.enter_context(fault_proxy(port, ports))
        options = {"security": security, "ca_file": str(trusted.file), "timeout": timeout}
        yield Server(kind, files, proxy, "FtpUploads", [ADDRESS, port, user, password], options)


@contextlib.contextmanager
def _rest(folder: Path, timeout: float) -> Iterator[Server]:
    received = folder / "received"
    received.mkdir(exist_ok=True)
    words = ("--username", "test", "--save-to", str(received))
    secret = {"ABQ_SERVER_PASSWORD": "test"}
    with (
        bundled_server("sample_http_server.py", *words, workspace=folder, environment=secret) as bundled,
        fault_proxy(bundled.port) as proxy,
    ):
        url = f"http://{ADDRESS}:{bundled.port}"
        login = [f"{url}/upload", f"{url}/auth", "test", "test"]
        yield Server("rest", received, proxy, "RestUploads", login, {"timeout": timeout})


def _started(kind: str, certificate: Path, ports: range) -> contextlib.AbstractContextManager[RealServer]:
    if kind == "vsftpd":
        return vsftpd(certificate, f"pasv_min_port={ports[0]}", f"pasv_max_port={ports[-1]}")
    lines = ["SocketBindTight on", f"PassivePorts {ports[0]} {ports[-1]}", "LoadModule mod_digest.c"]
    return proftpd(certificate, *lines, *(() if "without" in kind else _RESTARTS))
