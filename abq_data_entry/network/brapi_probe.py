"""The BrAPI server: the way to it, what it says that it can, and a login if that is wanted. Nothing is stored there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .probing import Context, Inspection, Result, Steps, shown
from .web import probe_with_login

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

    def look(inspection: Inspection, sender: BrapiUploads, username: str) -> Steps[None]:
        yield from inspection.step("Login", lambda: _log_in(context, sender, username))
        yield from inspection.step("Server", lambda: _look(context, sender))
        if context.wanted.write:
            yield inspection.note("Write test", "nothing was stored: BrAPI has no way to remove it again")

    url = str(context.settings["abq_brapi_url"])
    return probe_with_login("BrAPI server", url, kind, problem, uploads, context, look)


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
