"""How somebody logs in by HTTP itself: Basic (RFC 7617) and Digest (RFC 7616), whichever a server asks for."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping

_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)(?=\s+[\w-]+\s*=|\s*(?:,|$))")
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_LONGEST = 8192  # characters of a challenge
_HASHES: Mapping[str, Callable[[bytes], hashlib._Hash]] = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}


class HttpLogin:
    """A user name and a password, sent in the way that the server's last challenge asked for.

    `scheme`: "Digest", "Basic", or "" as long as nobody asked: then nothing is sent.
    """

    def __init__(self, username: str, password: str) -> None:
        self.scheme = ""
        self._username, self._password = username, password
        self._challenge: dict[str, str] = {}
        self._count = 0

    def answer(self, challenge: str) -> bool:
        """Take up what a 401 asks for (`WWW-Authenticate`); False where no other request would get further.

        Digest goes before Basic, because the password isn't sent then. What was answered once isn't answered again,
        which could lock the account, unless the server says that its own nonce is stale.
        """
        offered = challenges(challenge)
        if self.scheme and not any(each.get("stale", "").lower() == "true" for _, each in offered):
            return False
        for algorithm in _HASHES:
            for scheme, parameters in offered:
                if scheme == "digest" and _is_usable(parameters, algorithm):
                    self.scheme, self._challenge, self._count = "Digest", parameters, 0
                    return True
        if any(scheme == "basic" for scheme, _ in offered):
            self.scheme = "Basic"
            return True
        return False

    def header(self, method: str, target: str) -> dict[str, str]:
        """Return the header for one request; `target`: path and query, as they are sent."""
        if self.scheme == "Basic":
            return {"Authorization": basic_authorization(self._username, self._password)}
        return {"Authorization": self._digest(method, target)} if self.scheme == "Digest" else {}

    def _digest(self, method: str, target: str) -> str:
        asked, self._count = self._challenge, self._count + 1
        algorithm = asked.get("algorithm", "MD5").upper()
        hashed = _HASHES[algorithm.removesuffix("-SESS")]
        count, own = f"{self._count:08x}", secrets.token_hex(16)

        def of(*parts: str) -> str:
            return hashed(":".join(parts).encode()).hexdigest()

        who = of(self._username, asked["realm"], self._password)
        if algorithm.endswith("-SESS"):
            who = of(who, asked["nonce"], own)
        what = of(method, target)
        fields = {"username": self._username, "realm": asked["realm"], "nonce": asked["nonce"], "uri": target}
        plain = {"algorithm": asked["algorithm"]} if "algorithm" in asked else {}
        if "qop" in asked:
            fields |= {"cnonce": own, "response": of(who, asked["nonce"], count, own, "auth", what)}
            plain |= {"qop": "auth", "nc": count}
        else:
            fields["response"] = of(who, asked["nonce"], what)
        if "opaque" in asked:
            fields["opaque"] = asked["opaque"]
        quoted = [f'{name}="{_escaped(value)}"' for name, value in fields.items()]
        return "Digest " + ", ".join([*quoted, *(f"{name}={value}" for name, value in plain.items())])


def basic_authorization(username: str, password: str) -> str:
    """Return the value of `Authorization` for a login by Basic."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def challenges(text: str) -> list[tuple[str, dict[str, str]]]:
    """Return the schemes that a server offers, in small letters, each with its parameters."""
    text = text[:_LONGEST]
    blank = _PARAMETER.sub(lambda found: f"{found[1]}={'x' * (len(found[0]) - len(found[1]) - 1)}", text)
    starts = list(_SCHEME.finditer(blank))
    found = []
    for begin, end in zip(starts, [*(each.start() for each in starts[1:]), len(text)], strict=False):
        parameters = _PARAMETER.findall(text[begin.end() : end])
        plain = {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in parameters}
        found.append((begin[1].lower(), plain))
    return found


def _is_usable(parameters: Mapping[str, str], algorithm: str) -> bool:
    named = parameters.get("algorithm", "MD5").upper().removesuffix("-SESS")
    ways = [each.strip().lower() for each in parameters.get("qop", "auth").split(",")]
    return named == algorithm and {"realm", "nonce"} <= parameters.keys() and "auth" in ways


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
