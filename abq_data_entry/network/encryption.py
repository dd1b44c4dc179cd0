"""TLS: contexts that verify, and what is wrong with a certificate, in words.

Sources: RFC 5280 (certificates), RFC 6125 (host names), RFC 8446 and RFC 5246 (TLS 1.3 and 1.2).
"""

import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .failures import InvalidInput, UserFacingError

_EXPIRED, _NOT_YET, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64  # X509_V_ERR_… of OpenSSL
_PATIENCE = 5.0


class CertificateRefused(UserFacingError, ssl.SSLError):
    """The server's certificate isn't one to trust; no name, password or file was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, message)  # by itself a text would be shown with the brackets of a tuple


@dataclass(frozen=True)
class Certificate:
    """Whom a certificate names, who issued it, and from when to when it is valid (UTC). Texts are fit to be shown."""

    names: tuple[str, ...]
    issuer: str
    first: datetime
    last: datetime

    @property
    def named(self) -> str:
        """The first names."""
        return ", ".join(self.names[:4]) or "nobody"


def verified_context(ca_file: str | os.PathLike[str] | None, client_certificate: str = "") -> ssl.SSLContext:
    """Return a context that verifies certificates and host names, TLS 1.2 or newer.

    `ca_file`: PEM file with the authorities to trust instead of the system's; `client_certificate`: PEM file with our
    own certificate and its key, not encrypted. Raises `InvalidInput` for files that can't be used.
    """
    if ca_file is not None and not Path(ca_file).is_file():
        raise InvalidInput(f"The CA file {ca_file} doesn't exist. Check the setting abq_ca_file.")
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else os.fspath(ca_file))
    except (ssl.SSLError, OSError):
        context = None
    if context is None:
        raise InvalidInput(f"The CA file {ca_file} holds no certificate in PEM. Check the setting abq_ca_file.")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_certificate:
        present(context, client_certificate)
    return context


def present(context: ssl.SSLContext, client_certificate: str) -> None:
    """Let the context show our own certificate to servers that ask for one; raises `InvalidInput`."""
    try:
        context.load_cert_chain(client_certificate, password=lambda: b"")  # never asks at the terminal
        return
    except (ssl.SSLError, OSError, ValueError):
        pass
    raise InvalidInput(
        f"The client certificate {client_certificate} can't be used: it must be a PEM file with the certificate and "
        "its key, not encrypted. Check the setting abq_client_certificate."
    )


def unverified_context() -> ssl.SSLContext:
    """Return a context that takes any certificate: only for looking at one that was refused, never for sending."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def forget_failure() -> None:
    """Keep a connection that broke from being taken for another one's end.

    What fails under TLS leaves its error with the thread, and with the OpenSSL of 2025 on the next read from another
    connection of that thread reports it, as a reset that never was. Only some calls clear it, this one whatever it is
    asked for.
    """
    with contextlib.suppress(ssl.SSLError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers("NO-SUCH-CIPHER")


def speaks_tls(connect: Callable[[], socket.socket], host: str, patience: float = _PATIENCE) -> bool:
    """Tell whether what answers speaks TLS from the first byte; nothing but the greeting of TLS is sent.

    `patience`: seconds without a byte after which it doesn't; one that speaks TLS answers the greeting at once.
    """
    try:
        with connect() as plain:
            plain.settimeout(min(plain.gettimeout() or patience, patience))
            with unverified_context().wrap_socket(plain, server_hostname=host.strip("[]")):
                return True
    except (OSError, ValueError):
        return False


def refusal(
    error: ssl.SSLCertVerificationError,
    host: str,
    look: Callable[[], bytes | None],
    setting: str = "abq_ca_file",
) -> CertificateRefused:
    """Return an error that tells what is wrong: the names in the certificate, who issued it, until when it is valid.

    `look` connects once more without sending anything, and returns the certificate (DER) that the server presents;
    `setting`: by what an authority is made known to us.
    """
    facts = ""
    with contextlib.suppress(Exception):  # a second look that fails takes nothing from what is known
        facts = _facts(look() or b"")
    reason = {
        _EXPIRED: "it has expired",
        _NOT_YET: "it is not valid yet (or this computer's clock is wrong)",
        _WRONG_HOST: f"it is not for {host}",
        _WRONG_ADDRESS: f"it is not for {host}",
    }.get(error.verify_code, f"its issuer isn't trusted ({error.verify_message})")
    return CertificateRefused(
        f"The certificate of {host} can't be trusted: {reason}.{facts} Nothing was sent. "
        f"Ask your administrator; a certificate authority of your own is set as {setting}."
    )


def _facts(der: bytes) -> str:
    """Say for whom a certificate is, by whom, and until when."""
    found = certificate_of(der)
    return (
        f" It names {found.named}, was issued by {found.issuer}, and is valid from {found.first:%Y-%m-%d} to "
        f"{found.last:%Y-%m-%d}."
    )


def certificate_of(der: bytes) -> Certificate:
    """Read a certificate in DER; raises `ValueError`."""
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    names = [_printable(attribute.value) for attribute in certificate.subject]
    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [_printable(name.value) for name in alternatives]
    issuer = ", ".join(_printable(attribute.value) for attribute in certificate.issuer)
    return Certificate(tuple(names), issuer, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _printable(value: object) -> str:
    """Return text of a stranger's making, short and on one line."""
    return "".join(character for character in str(value) if character.isprintable())[:64]
