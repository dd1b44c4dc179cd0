"""Send files to an XML-RPC service: `abq.upload(name, content, sha256, key)` returns the digest.

Sources: the XML-RPC specification; "Specification for Fault Code Interoperability". docs/deliveries.md says what a
service has to do; a repeated call stores the file once.
"""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.parse
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ExpatError

import requests

from .destination import NONE
from .failures import with_server_message
from .guard import Guard
from .probing import Context, Inspection, Result, Steps
from .rest import RestUploads
from .rest_answers import RestConnectionError, RestError, RestIncomplete
from .uploads import SourceFile
from .web import probe_with_login

if TYPE_CHECKING:
    from .destination import Settings

_LARGEST = 256 * 1024  # bytes of an answer: a digest, a fault, or the names of all methods
_BEGINNING = 1000  # bytes of an answer, in which its first element stands
_LINE = 57  # bytes of a line of Base64 (RFC 2045, 6.8)
_BLOCK = _LINE * 4096
_NO_SUCH_METHOD = (-32601, 404)
_LOGIN_REFUSED = (401, 403)
_CODES = range(-(2**31), 2**31)  # what an int of XML-RPC can be
_MAY_PASS = (-32400, -32300, 408, 425, 429)  # the system's and the transport's errors; and as HTTP has it


class Fault(RestError):
    """The service answered with a fault; `code` is its own."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code
        self.transient = code in _MAY_PASS or 500 <= code <= 599
        self.login_refused = code in _LOGIN_REFUSED

    @property
    def is_unknown_method(self) -> bool:
        """Whether it says that there is no such method."""
        return self.code in _NO_SUCH_METHOD or "is not supported" in str(self)  # the wording of Python's server


class FileCall:
    """The body of the call with a file: iterable with a length, so that a large file is never in memory as a whole."""

    def __init__(self, method: str, source: SourceFile, sha256: str, key: str) -> None:
        call = xmlrpc.client.dumps((source.name, xmlrpc.client.Binary(b""), sha256, key), method, encoding="utf-8")
        head, mark, tail = call.partition("<base64>\n")  # a file name can't contain it: its < is escaped
        self._head, self._tail = (head + mark).encode(), tail.encode()
        self._source = source
        self.complete = False

    def __len__(self) -> int:
        size = self._source.size
        return len(self._head) + 4 * -(-size // 3) + -(-size // _LINE) + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        self.complete = False
        self._source.rewind()
        yield self._head
        rest = b""
        for block in self._source.blocks(_BLOCK):
            rest += bytes(block)
            whole = len(rest) - len(rest) % _LINE  # the block may end within a line
            yield base64.encodebytes(rest[:whole])
            rest = rest[whole:]
        yield base64.encodebytes(rest)
        yield self._tail
        self.complete = True


class XmlRpcUploads(RestUploads):
    """Calls `method` for each file. The other parameters are those of `rest.RestUploads`."""

    def __init__(self, url: str, method: str, username: str, password: str, **options: Any) -> None:
        super().__init__(url, url, username, password, **options)
        self._method = method
        self._called = False  # whether anything was called, so that the connection may be one that was kept open

    def methods(self, cancel: Any = None) -> list[str] | None:
        """Return the methods that the service lists; None if it lists none. Raises what `upload` raises."""
        found: list[object] = []
        call = xmlrpc.client.dumps((), "system.listMethods").encode()

        def ask() -> None:
            try:
                found.append(self._call(call, "system.listMethods"))
            except Fault as fault:
                if not fault.is_unknown_method:
                    raise

        self.run(ask, cancel)
        listed = found[0] if found else None
        return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else None

    def _deliver(self, source: SourceFile, guard: Guard, key: str) -> None:
        digest = hashlib.sha256()
        for block in source.content(_BLOCK):
            guard.check()
            guard.progressed()
            digest.update(block)
        call = FileCall(self._method, source, digest.hexdigest(), key)
        answer = self._call(call, self._method)
        if not call.complete:
            raise RestConnectionError("The server answered before it had the whole file. Try again.")
        if answer is True or (isinstance(answer, str) and answer.strip().lower() == digest.hexdigest()):
            return
        if answer is False:
            raise RestError(f"The server {self._host} answered that it didn't take the file. Ask its administrator.")
        if isinstance(answer, str) and re.fullmatch(r"[0-9A-Fa-f]{64}", answer.strip()):
            raise RestIncomplete(
                f"The server {self._host} says that it stored something else than what was sent. Send it again."
            )
        raise RestError(
            f"The server {self._host} answered with neither the digest of the file nor true, so it isn't known whether"
            " it has the file. Ask its administrator."
        )

    def _call(self, call: FileCall | bytes, method: str) -> object:
        """Return the result of a call. Raises `Fault`, `RestError`, and what `requests` raises."""
        headers = {"Content-Type": "text/xml", **self._login.headers}

        def post() -> tuple[requests.Response, bytes]:
            return self._request(self._session.post, self._urls[1], _read, data=call, headers=headers)

        try:
            response, page = post()
        except requests.ConnectionError as error:
            if not self._called or not self._was_cut(error):
                raise
            self._session.close()  # the connection of the call before; each call may be repeated
            response, page = post()
        self._called = True
        self._check(response, page)
        return self._parse(page, method)

    def _parse(self, page: bytes, method: str) -> object:
        from defusedxml.xmlrpc import DefusedExpatParser

        if len(page) > _LARGEST:
            raise RestError(f"The server {self._host} answers with more than {_LARGEST >> 10} KiB. Check the address.")
        if b"<methodResponse" not in page[:_BEGINNING]:
            raise RestError(f"What the server {self._host} answered isn't XML-RPC. Check the address.")
        unmarshaller = xmlrpc.client.Unmarshaller(use_builtin_types=True)
        parser = DefusedExpatParser(unmarshaller, forbid_dtd=True)
        try:
            parser.feed(page)
            parser.close()
            (value,) = unmarshaller.close()
        except xmlrpc.client.Fault as fault:
            raise self._refusal_of(fault, method) from None
        except (xmlrpc.client.Error, ExpatError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError):
            # The answer may be incomplete.
            raise RestIncomplete(
                f"What the server {self._host} answered by XML-RPC isn't understood. Send it again."
            ) from None
        return value

    def _refusal_of(self, fault: xmlrpc.client.Fault, method: str) -> Fault:
        code = _code_in(fault.faultCode)
        told = Fault("", code)
        sentence = f"The server {self._host} refused the call {method} (fault {code})."
        if told.login_refused:
            sentence = f"The server {self._host} refused the user name or the password (fault {code})."
        # Anything but a text could be nested too deeply to be shown.
        words = fault.faultString if isinstance(fault.faultString, str) else ""
        said = with_server_message(sentence, self._conceal(words))
        told = Fault(said, code)
        if told.login_refused:
            self._refusal = told
        return told

    @property
    def _host(self) -> str:
        return urllib.parse.urlsplit(self._urls[1]).hostname or ""


def _code_in(given: object) -> int:
    """Return the code of a fault, which some services send as a text; 0 if it can't be one."""
    if isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,10}", given.strip()):
        given = int(given)
    return given if isinstance(given, int) and given in _CODES else 0


def _read(response: requests.Response) -> bytes:
    """Return the answer, or if it is too long, one byte more than the limit."""
    found: bytes = response.raw.read(_LARGEST + 1, decode_content=True)
    return found


def probe(
    kind: str, problem: str, uploads: Callable[[Settings, str, str], XmlRpcUploads], context: Context
) -> Steps[None]:
    """Check the service. `problem`: why a setting can't be used; `uploads(settings, user, password)`: what sends."""
    settings = context.settings

    def look(inspection: Inspection, sender: XmlRpcUploads, username: str) -> Steps[None]:
        who = "nobody logs in" if settings["abq_xmlrpc_auth_method"] == NONE else f"{username} is logged in"
        wanted = str(settings["abq_xmlrpc_method"])

        def ask() -> Result[None]:
            listed = sender.methods(context.cancel)
            if listed is None:
                return Result(None, f"{who}; the service doesn't list its methods (system.listMethods)")
            if wanted in listed:
                return Result(None, f"{who}, and the service has {wanted}")
            advice = f"It doesn't list {wanted}: check the setting abq_xmlrpc_method, or ask its administrator."
            return Result(None, f"{who}; the service lists {len(listed)} methods", advice)

        yield from inspection.step("Login", ask)
        if context.wanted.write:
            yield inspection.note("Write test", "nothing was stored: XML-RPC has no way to remove it again")

    return probe_with_login("XML-RPC service", str(settings["abq_xmlrpc_url"]), kind, problem, uploads, context, look)
