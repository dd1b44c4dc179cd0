"""The company's notices: fetched once an hour for all workstations of a database, by whichever comes first."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..counting import counted
from ..models.undoing import NOBODY_NAMED, By
from ..stored_logins import LoginMissing, stored_login

if TYPE_CHECKING:
    import threading

    from ..models import SQLModel

log = logging.getLogger(__name__)

Login = tuple[str, str]

NOT_SET_UP = "No company notices are set up: the setting notices_url is empty."


class Outcome(NamedTuple):
    """The result as a sentence; `failed`: the request failed; `new`: how many notices were new; `elsewhere`: another
    workstation is fetching them, and will report new ones."""

    text: str
    failed: bool = False
    new: int = 0
    elsewhere: bool = False


def fetch(
    model: SQLModel,
    values: Mapping[str, object],
    cancel: threading.Event,
    *,
    forced: bool = False,
    login: Login | None = None,
    by: By = NOBODY_NAMED,
) -> Outcome:
    """Fetch the notices and store them, unless somebody has within the hour (`forced`: unless somebody is doing so).

    `login`: the login for this call; None: the stored one of the user in the setting `notices_username`, if any. Raises
    `DatabaseError`, `Cancelled`.
    """
    from ..network import Cancelled, InvalidInput
    from ..network.notice_feed import NoticesError
    from ..network.notices import KIND, fetch_notices, problem, source_of
    from ..network.web import place_of

    if why := problem(values):
        return Outcome(NOT_SET_UP if not values["notices_url"] else why, failed=True)
    source = source_of(values)
    turn = model.notices.ask(source, forced=forced, by=by)
    if turn["code"] != "ask":
        return _of_others(turn, forced)
    state = turn["state"]
    try:
        user = str(values["notices_username"])
        if login is None and user:
            login = stored_login(KIND, user, place_of(str(values["notices_url"])))
        found = fetch_notices(values, state if isinstance(state, dict) else {}, login, cancel=cancel)
    except Cancelled:
        model.notices.keep(source, {"problem": "The last attempt was cancelled."}, by=by)
        raise
    except (NoticesError, InvalidInput, LoginMissing) as error:
        log.info("the notices couldn't be fetched: %s", type(error).__name__)
        until = error.until if isinstance(error, NoticesError) else None
        model.notices.keep(source, {"problem": str(error), "until": until}, by=by)
        return Outcome(str(error), failed=True)
    answer: dict[str, object] = {"state": found.state, "complete": found.complete}
    if found.notices is not None:
        answer["notices"] = [each._asdict() for each in reversed(found.notices)]
    new = model.notices.keep(source, answer, by=by)
    log.info("notices: %d new", new)
    return Outcome(f"{counted(new, 'new notice')}." if new else "No notice is new.", new=new)


def _of_others(turn: Mapping[str, object], forced: bool) -> Outcome:
    """Return the outcome if this workstation doesn't send a request, with the reason."""
    if turn["code"] == "wait":
        until = datetime.datetime.fromisoformat(str(turn["until"])).astimezone()
        text = f"The server wants no request before {until:%Y-%m-%d %H:%M}, so it wasn't asked."
        return Outcome(text, failed=forced)
    if turn["code"] == "asked":
        return Outcome("Another workstation is asking for notices just now.", elsewhere=True)
    return Outcome("The notices were asked for within the last hour.")
