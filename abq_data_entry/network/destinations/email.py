"""People who get the file by mail, through the company's mail server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...setting import Setting
from ..destination import NOBODY, NONE, Destination, Settings
from ..mail_addresses import (
    IMPLICIT_PORT,
    SECURITIES,
    MailServer,
    Person,
    host_problem,
    people,
    people_problem,
    sender_problem,
    server_of,
)

if TYPE_CHECKING:
    from ...stored_destination import StoredDestination
    from ..mail import Mailer, MailUploads
    from ..probing import Context, Steps


class Email(Destination):
    """One mail for each file, submitted by `mail`. Without a final reply it is never sent again automatically."""

    kind, name, title, service, order = "email", "e-mail", "e-mail", "mail server", 5
    settings = (
        Setting("abq_mail_to", "", check=people_problem),
        Setting("abq_mail_from", "", check=sender_problem),
        Setting("abq_mail_host", "", check=host_problem),
        Setting("abq_mail_port", 587, 1, 65535),
        Setting("abq_mail_security", "", choices=("", *SECURITIES)),
        Setting("abq_mail_auth_method", "", choices=("", NONE)),
    )
    keeps_parts = False
    repeatable = False
    address_setting = "abq_mail_to"
    stored_kinds = ("email",)
    success = "{file} successfully sent by e-mail."

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        server = server_of(row.login_address)
        through: dict[str, object] = {}
        if server is not None:  # otherwise that of this workstation's settings
            through = {
                "abq_mail_host": server.host,
                "abq_mail_port": server.port,
                "abq_mail_security": server.security,
            }
        sender = {"abq_mail_from": row.username} if "@" in row.username else {}
        return {"abq_mail_to": row.address, "abq_mail_auth_method": row.login_method, **sender, **through}

    def server(self, settings: Settings) -> MailServer:
        """Return the server to which mail is submitted, by these settings."""
        port = int(str(settings["abq_mail_port"]))
        security = str(settings["abq_mail_security"]) or ("implicit" if port == IMPLICIT_PORT else "starttls")
        return MailServer(str(settings["abq_mail_host"]), port, security)

    def address(self, settings: Settings) -> str:
        try:
            return ", ".join(each.address for each in people(str(settings["abq_mail_to"])))
        except ValueError:  # `problem` reports it
            return str(settings["abq_mail_to"])

    def login_place(self, settings: Settings) -> str:
        is_open = settings["abq_mail_auth_method"] == NONE  # a relay that knows its own network
        return NOBODY if is_open else f"smtp://{self.server(settings).place}"

    def problem(self, settings: Settings) -> str:
        if found := super().problem(settings):
            return found
        for name in ("abq_mail_host", "abq_mail_from"):
            if not settings[name]:
                return f"The setting {name!r} is empty: nothing can be sent by e-mail without it."
        return ""

    def mailer(self, settings: Settings, username: str, password: str) -> Mailer:
        """Return the client that submits mail, by these settings."""
        from ..mail import Mailer, MailLogin

        ca_file, timeout = str(settings["abq_ca_file"]) or None, float(str(settings["network_timeout"]))
        return Mailer(self.server(settings), MailLogin(username, password), ca_file, timeout)

    def sender(self, settings: Settings) -> Person:
        """Return the sender of mail by these settings; raises `InvalidInput`."""
        from ..failures import InvalidInput

        try:
            return people(str(settings["abq_mail_from"]))[0]
        except ValueError as error:
            problem = str(error)
        raise InvalidInput(f"The setting 'abq_mail_from' {problem}. Nothing was sent.")

    def uploads(self, settings: Settings, username: str, password: str) -> MailUploads:
        from ..failures import InvalidInput
        from ..mail import MailUploads

        if problem := self.problem(settings):
            raise InvalidInput(f"{problem} Nothing was sent.")
        receivers = people(str(settings["abq_mail_to"]))
        mailer, timeout = self.mailer(settings, username, password), float(str(settings["network_timeout"]))
        return MailUploads(mailer, self.sender(settings), receivers, timeout)

    def probe(self, context: Context) -> Steps[None]:
        from ..mail_probe import probe

        return probe(self, self.server(context.settings), context)

    def remark(self, settings: Settings) -> str:
        from ..guard import is_loopback

        server = self.server(settings)
        return "not encrypted" if server.security == "none" and not is_loopback(server.host) else ""


DESTINATION = Email()
