"""TLS: contexts that verify certificates, and what is wrong with a certificate, in words.

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
    """The server's certificate can't be trusted; no user name, password or file was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, message)  # with one argument only, OSError's text would be that of a tuple


@dataclass(frozen=True)
class Certificate:
    """The names in a certificate, its issuer, and its validity (UTC). The texts are safe to display."""

    names: tuple[str, ...]
    issuer: str
    first: datetime
    last: datetime

    @property
    def named(self) -> str:
        """The first few names."""
        return ", ".join(self.names[:4]) or "nobody"


def verified_context(ca_file: str | os.PathLike[str] | None, client_certificate: str = "") -> ssl.SSLContext:
    """Return a context that verifies certificates and host names, for TLS 1.2 or newer.

    `ca_file`: PEM file with the certificate authorities to trust instead of the system's; `client_certificate`: PEM
    file with our certificate and its unencrypted key. Raises `InvalidInput` for invalid files.
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
    """Load our client certificate, for servers that ask for one; raises `InvalidInput`."""
    try:
        context.load_cert_chain(client_certificate, password=lambda: b"")  # so that OpenSSL never asks for one
        return
    except (ssl.SSLError, OSError, ValueError):
        pass
    raise InvalidInput(
        f"The client certificate {client_certificate} can't be used: it must be a PEM file with the certificate and "
        "its key, not encrypted. Check the setting abq_client_certificate."
    )


def unverified_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate: only to look at one that was refused, never to send anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def forget_failure() -> None:
    """Clear OpenSSL's error queue of this thread.

    A TLS connection that broke leaves an error there. With OpenSSL from 2025 on, the next read from another connection
    of the same thread would report it, as a connection reset that never happened. Some calls clear the queue, such as
    this one.
    """
    with contextlib.suppress(ssl.SSLError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers("NO-SUCH-CIPHER")


def speaks_tls(connect: Callable[[], socket.socket], host: str, patience: float = _PATIENCE) -> bool:
    """Tell whether a server speaks implicit TLS; only a ClientHello is sent.

    `patience`: seconds without a reply after which it doesn't: a TLS server answers a ClientHello at once.
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
    """Return an error that says what is wrong, with the certificate's names, its issuer and its validity.

    `look()` connects again without sending anything, and returns the server's certificate (DER); `setting`: the setting
    for a certificate authority.
    """
    facts = ""
    with contextlib.suppress(Exception):  # if the second connection fails, the error says less
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
    """Return a sentence with the certificate's names, its issuer and its validity."""
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
    """Return an untrusted text as one short line."""
    return "".join(character for character in str(value) if character.isprintable())[:64]
