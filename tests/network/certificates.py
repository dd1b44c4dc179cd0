"""Certificates of the tests' own making: an authority, and server certificates that it signed, right or wrong."""

import datetime
import functools
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority; `file` is its own certificate in PEM."""

    name: str
    folder: Path
    file: Path
    certificate: x509.Certificate

    def issue(self, *names: str, days: int = 2) -> Path:
        """Return a PEM file with a key and a certificate for the names, valid for that many days (or ended then)."""
        issued = _signed(_name("abq test"), self.certificate, names, days)
        path = self.folder / f"{'-'.join(names).replace(':', '_')}{days}.pem"
        path.write_bytes(_key_text() + issued.public_bytes(serialization.Encoding.PEM))
        path.chmod(0o600)
        return path


def authority(name: str, folder: Path) -> Authority:
    """Make an authority of that name."""
    made = _signed(_name(name), None, (), 30)
    file = folder / f"{name}.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return Authority(name, folder, file, made)


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    """One key for all: making them takes long."""
    return rsa.generate_private_key(65537, 2048)


def _key_text() -> bytes:
    return _key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _signed(subject: x509.Name, issuer: x509.Certificate | None, names: tuple[str, ...], days: int) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    public = _key().public_key()
    is_authority = issuer is None
    usage: dict[str, Any] = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 10 * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_encipherment=not is_authority,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                **usage,
            ),
            critical=True,
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), False)
    return builder.sign(_key(), hashes.SHA256())


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
