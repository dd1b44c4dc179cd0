"""Who logs in to an FTP server, where and how; and what is wrong with a certificate that was refused."""

import ssl
from dataclasses import dataclass

from . import encryption, ftp_folder
from .failures import InvalidInput
from .ftp_session import Session
from .guard import Guard, is_loopback

SECURITIES = ("none", "explicit", "implicit")


def ftp_security(host: str, security: str | None) -> str:
    """Return how to connect to the host: as asked for, else encrypted unless it is this machine itself.

    Raises `InvalidInput` for anything but "none", "explicit", "implicit" and nothing.
    """
    if not security:
        return "none" if is_loopback(host) else "explicit"
    if security not in SECURITIES:
        raise InvalidInput(f"{security!r} is no way to connect: it must be one of {', '.join(SECURITIES)}.")
    return security


@dataclass(frozen=True, repr=False)
class Login:
    """Where to connect, how, and as whom. `context`: for TLS, None without; `passive`: who connects for the data.

    `folder`: where files go, empty for the one that the server puts the user into.
    """

    host: str
    port: int
    user: str
    password: str
    security: str
    context: ssl.SSLContext | None
    passive: bool = True
    folder: str = ""


def log_in(guard: Guard, login: Login) -> Session:
    """Return a logged-in session in the login's folder, which is made where it is missing."""
    session = Session(guard, login.security, login.context, login.passive)
    try:
        try:
            session.connect(login.host, login.port)
        except ssl.SSLCertVerificationError as error:
            session.close()
            refusal = encryption.refusal(error, login.host, lambda: certificate_of(guard, login))
            raise refusal from None
        guard.progressed()
        session.login(login.user, login.password)
        session.protect_data()
        ftp_folder.enter(session, login.folder)
        guard.progressed()
    except BaseException:
        session.close()
        raise
    return session


def certificate_of(guard: Guard, login: Login) -> bytes | None:
    """Return the certificate (DER) that the server shows, whatever it is worth; nothing of the login is sent."""
    session = Session(guard, login.security, encryption.unverified_context())
    try:
        session.connect(login.host, login.port)
        return session.sock.getpeercert(True) if isinstance(session.sock, ssl.SSLSocket) else None
    finally:
        session.close()
