"""The BrAPI server: the way to it, what it says that it can, and a login if that is wanted. Nothing is stored there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .probing import Context, Inspection, Result, Steps, shown, usable
from .web import place_of, way

if TYPE_CHECKING:
    from .brapi import BrapiUploads
    from .destination import Settings

_NEEDED = {
    "observations": ("GET", "POST", "PUT"), "studies": ("GET",), "observationunits": ("GET",), "variables": ("GET",),
}  # fmt: skip


def probe(
    kind: str, problem: str, uploads: Callable[[Settings, str, str], BrapiUploads], context: Context
) -> Steps[None]:
    """Check the server. `problem`: why a setting can't be used; `uploads(settings, user, password)`: what sends."""
    url = str(context.settings["abq_brapi_url"])
    inspection = Inspection(f"BrAPI server {place_of(url)}".strip(), context, kind)
    yield from usable(inspection, problem)
    yield from way(inspection, url, context.chosen(ca_file="abq_ca_file", proxy="network_proxy"))
    login = yield from inspection.login(kind)
    if login is None:
        return
    with uploads({**context.settings, "network_timeout": context.wanted.wait}, *login) as sender:
        yield from inspection.step("Login", lambda: _log_in(context, sender, login[0]))
        yield from inspection.step("Server", lambda: _look(context, sender))
    if context.wanted.write:
        yield inspection.note("Write test", "nothing was stored: BrAPI has no way to remove it again")


def _log_in(context: Context, sender: BrapiUploads, username: str) -> Result[None]:
    sender.run(lambda: sender.ask("GET", "observations", page="0", pageSize="1"), context.cancel)
    return Result(None, f"{username} is logged in, and reads observations")


def _look(context: Context, sender: BrapiUploads) -> Result[None]:
    found: list[dict[str, Any]] = []
    sender.run(lambda: found.append(sender.ask("GET", "serverinfo")), context.cancel)
    said = found[0].get("result")
    result = said if isinstance(said, dict) else {}
    calls = result.get("calls")
    offered = set[tuple[str, str]]()
    for each in calls if isinstance(calls, list) else ():
        methods = each.get("methods") if isinstance(each, dict) else None
        if isinstance(methods, list):
            offered |= {(str(each.get("service")).strip("/"), str(name)) for name in methods}
    lacking = [f"{method} /{path}" for path, methods in _NEEDED.items() for method in methods
               if (path, method) not in offered]  # fmt: skip
    name = shown(result.get("serverName") or "the server")
    advice = f"It doesn't say that it has {', '.join(lacking)}: ask its administrator." if lacking else ""
    return Result(None, f"{name} offers {len(offered)} calls", advice)
