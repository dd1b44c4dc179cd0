"""Are the places reachable that this application works with? Step by step, each ok, slow or failed, with what to do.

The one list of checks, for the window and for the command line: the database, the weather feed, and the destinations
of extracts. No record is ever sent, and no text of a step holds a password, a query string or a user's name of an
address.

- `check_connections(settings, embedded, wanted, cancel)` yields the steps as they are done.
- `Step`: what was looked at, and how it went; `report(steps)`: all of it as text for the help desk.
- `Options`: which destinations, with which logins, and whether to try writing.
"""

from ..network.probing import FAILED, OK, SLOW, LoginMissing, Options, Step
from .plan import check_connections
from .report import lines_of, report

__all__ = [
    "FAILED",
    "OK",
    "SLOW",
    "LoginMissing",
    "Options",
    "Step",
    "check_connections",
    "lines_of",
    "report",
]
