"""A service that takes files by XML-RPC; docs/deliveries.md describes its interface."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...setting import Setting
from ..destination import NOBODY, NONE, Destination, LoginMethod, Settings, chosen

if TYPE_CHECKING:
    from ...stored_destination import StoredDestination
    from ..probing import Context, Steps
    from ..xml_rpc import XmlRpcUploads

_METHOD = "abq.upload"


def method_problem(name: str) -> str | None:
    """Return why this isn't a valid method name, as the end of a sentence; None if it is."""
    # XML-RPC specification: identifier characters A-Z, a-z, 0-9, underscore, dot, colon and slash.
    if name != _METHOD and not re.fullmatch(r"[A-Za-z0-9_.:/]{1,100}", name):
        return f"must be the name of a method, as {_METHOD}: letters, digits and _.:/"
    return None


class XmlRpc(Destination):
    """One call for each file (`xml_rpc`)."""

    kind, name, title, service, order = "xmlrpc", "XML-RPC", "XML-RPC", "XML-RPC service", 6
    settings = (
        Setting("abq_xmlrpc_url", ""),
        Setting("abq_xmlrpc_method", _METHOD, check=method_problem),
        Setting("abq_xmlrpc_auth_method", "basic", choices=("basic", NONE)),
    )
    keeps_parts = False
    address_setting = "abq_xmlrpc_url"
    stored_kinds = ("xmlrpc",)

    def settings_of(self, row: StoredDestination) -> dict[str, object]:
        return {
            "abq_xmlrpc_url": row.address,
            "abq_xmlrpc_method": row.folder or _METHOD,
            "abq_xmlrpc_auth_method": row.login_method or "basic",
        }

    def address(self, settings: Settings) -> str:
        from .rest import without_secrets

        return without_secrets(str(settings["abq_xmlrpc_url"]))

    def login_place(self, settings: Settings) -> str:
        return NOBODY if settings["abq_xmlrpc_auth_method"] == NONE else f"xmlrpc {self.address(settings)}"

    def problem(self, settings: Settings) -> str:
        if found := super().problem(settings):
            return found
        from ..rest import encryption_problem
        from ..webdav import url_problem

        url = str(settings["abq_xmlrpc_url"])
        why = url_problem(url)
        return f"The setting 'abq_xmlrpc_url' {why}." if why else encryption_problem(_login_method(settings), (url,))

    def uploads(self, settings: Settings, username: str, password: str) -> XmlRpcUploads:
        from ..xml_rpc import XmlRpcUploads

        return XmlRpcUploads(
            str(settings["abq_xmlrpc_url"]),
            str(settings["abq_xmlrpc_method"]),
            username,
            password,
            login_method=_login_method(settings),
            **chosen(settings, ca_file="abq_ca_file", proxy="network_proxy"),
        )

    def probe(self, context: Context) -> Steps[None]:
        from ..xml_rpc import probe

        return probe(self.kind, self.problem(context.settings), self.uploads, context)


def _login_method(settings: Settings) -> LoginMethod:
    return LoginMethod(str(settings["abq_xmlrpc_auth_method"]))


DESTINATION = XmlRpc()
