"""The file of host keys that OpenSSH keeps, `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 22


@dataclass(frozen=True)
class HostKey:
    """A public key in the form that goes over the wire; `kind`: such as `ssh-ed25519`."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh` and `ssh-keygen -l` show it: `SHA256:…`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


def default_file() -> Path:
    return Path.home() / ".ssh" / "known_hosts"


def keys_of(file: Path, host: str, port: int) -> tuple[list[HostKey], list[HostKey]]:
    """Return the host's keys, and keys that are revoked. No file is as good as an empty one; else raises `OSError`."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return [], []
    known, revoked = [], []
    for marker, names, key in _entries(lines):
        if marker == "@revoked":
            revoked.append(key)
        elif not marker and _matches(names, name_of(host, port)):
            known.append(key)
    return known, revoked


def add(file: Path, host: str, port: int, key: HostKey) -> None:
    """Write down a key that somebody accepted. Raises `OSError`."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = file.read_bytes() if file.exists() else b""
    line = f"{name_of(host, port)} {key.kind} {base64.b64encode(key.blob).decode()}\n"
    with file.open("ab") as lines:
        lines.write((b"" if before.endswith(b"\n") or not before else b"\n") + line.encode())


def name_of(host: str, port: int) -> str:
    """Return how the file names a host: with its port in brackets, unless that is the usual one."""
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def _entries(lines: list[str]) -> Iterator[tuple[str, str, HostKey]]:
    for line in lines:
        parts = line.split()
        marker = parts.pop(0) if parts and parts[0].startswith("@") else ""
        if len(parts) < 3 or parts[0].startswith("#"):
            continue
        try:
            yield marker, parts[0], HostKey(parts[1], base64.b64decode(parts[2], validate=True))
        except binascii.Error:
            continue


def _matches(names: str, host: str) -> bool:
    """Tell whether the names of a line mean the host: hashed, or patterns of which one with `!` excludes."""
    if names.startswith("|1|"):
        return _is_hash_of(names, host)
    patterns = [name.replace("[", "[[]") if name.lstrip("!").startswith("[") else name for name in names.split(",")]
    fits = [pattern for pattern in patterns if fnmatch.fnmatchcase(host, pattern.lower().lstrip("!"))]
    return bool(fits) and not any(pattern.startswith("!") for pattern in fits)


def _is_hash_of(text: str, host: str) -> bool:
    try:
        salt, expected = (base64.b64decode(part) for part in text.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, host.encode(), hashlib.sha1).digest(), expected)
