"""A small FTP server to try the Tools menu against; user `test`, password `test`, no rename, no delete.

For developers, tests and the demo: it speaks without encryption, unless `--certificate` is given. `--help` shows the
options.
"""

import argparse
import ipaddress
import logging
import os
import shlex
import signal
import sys
import threading
from pathlib import Path


def how_to_start() -> str:
    """Return what to type where this Python lacks a package."""
    here = Path(__file__).resolve().parent
    python = here / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    line = shlex.join([str(python), *sys.argv])
    launcher = here / "abq_data_entry.py"
    if python.is_file() or not launcher.is_file():
        return f"Type: {line if python.is_file() else f'{sys.executable} -m pip install pyftpdlib pyOpenSSL'}"
    return f"Type once: {shlex.join([sys.executable, str(launcher)])} and then: {line}"


try:
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer
except ModuleNotFoundError as missing:
    sys.exit(f"This Python lacks the package {missing.name}. {how_to_start()}")

USER, PASSWORD = "test", "test"
PERMISSIONS = "elrw"  # enter folders, list, read, write


def ports(text: str) -> range:
    """Read `60000-60010`."""
    first, _, last = text.partition("-")
    found = range(int(first), int(last or first) + 1)
    if not found or found[0] < 1 or found[-1] > 65535:
        raise ValueError(text)
    return found


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=f"A small FTP server for developers: user {USER!r}, password {PASSWORD!r}, no rename, no delete."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=2100, help="port; 0 picks a free one (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path(), help="folder to serve (default: where it is started)")
    parser.add_argument(
        "--passive-ports", type=ports, metavar="FIRST-LAST", help="ports for the data (default: any free one)"
    )
    parser.add_argument(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="take nothing in the clear: FTP over TLS with this certificate",
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key, where it isn't in the same file")
    options = parser.parse_args(words)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    if not 0 <= options.port <= 65535:
        parser.error("a port is from 0 to 65535")
    if options.key and not options.certificate:
        parser.error("--key needs --certificate")
    for file in (options.certificate, options.key):
        if file and not file.is_file():
            parser.error(f"{file} is not a file")
    return options


def encrypting(certificate: Path, key: Path) -> tuple[type[FTPHandler], dict[str, object]]:
    """Return the handler that speaks TLS, and its attributes. Raises `ValueError` for files that can't be used."""
    from OpenSSL import SSL
    from pyftpdlib.handlers import TLS_FTPHandler

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    # Over TLS 1.3 pyftpdlib 2.2.0 cuts files short, and answers 226 all the same.
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    try:
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(key))
        context.check_privatekey()
    except SSL.Error:
        raise ValueError(f"{certificate} and {key} are no certificate and its key in PEM") from None
    return TLS_FTPHandler, {"ssl_context": context, "tls_control_required": True, "tls_data_required": True}


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(words: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit code."""
    options = arguments(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(options.folder.resolve()), perm=PERMISSIONS)
    base, attributes = FTPHandler, dict[str, object]()
    if options.certificate:
        try:
            base, attributes = encrypting(options.certificate, options.key or options.certificate)
        except ValueError as error:
            print(f"{error}.", file=sys.stderr)
            return 1
    handler = type(
        "BoundHandler",
        (base,),
        {
            **attributes,
            "authorizer": authorizer,
            "banner": "ABQ sample FTP server",
            "passive_ports": options.passive_ports,
            "auth_failed_timeout": 0.1,  # seconds; nobody guesses this password
        },
    )
    try:
        server = FTPServer((options.host, options.port), handler)
    except OSError as error:
        reason = error.strerror or str(error).partition("] ")[2] or str(error)  # asyncore's has a text alone
        print(f"{options.host}, port {options.port}: {reason}. Choose another by --port.", file=sys.stderr)
        return 1
    if not is_loopback(options.host):
        readable = "" if options.certificate else ", and nothing is encrypted"
        print(f"Warning: others on the network can reach this server{readable}.", file=sys.stderr)
    asked_to_end = threading.Event()

    def end(*_: object) -> None:
        asked_to_end.set()
        raise KeyboardInterrupt

    def look() -> None:
        if asked_to_end.is_set():
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    # Python drops what is raised while it tidies up, say after a client that has just left: so it is asked again.
    server.ioloop.call_every(0.5, look)
    try:
        print(f"Serving on ftp://{options.host}:{server.address[1]}/ (Ctrl-C ends)", flush=True)
        server.serve_forever(handle_exit=False)
    except KeyboardInterrupt:
        pass
    finally:
        server.close_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
