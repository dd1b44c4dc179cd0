"""The XML-RPC service: the way to it, and the methods that it lists if a login is wanted. No file is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .destination import NONE
from .probing import Context, Inspection, Result, Steps
from .web import probe_with_login

if TYPE_CHECKING:
    from .destination import Settings
    from .xml_rpc import XmlRpcUploads


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
