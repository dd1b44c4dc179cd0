"""Are the places reachable that this application works with? Step by step, each ok, slow or failed, with what to do.

The one list of checks, for the window and for the command line: the database, the weather feed, the REST service, and
the FTP or SFTP server. No record is ever sent, and no text of a step holds a password, a query string or a user's name
of an address.

- `check_connections(settings, embedded, wanted, cancel)` yields the steps as they are done.
- `Step`: what was looked at, and how it went; `report(steps)`: all of it as text for the help desk.
- `Wanted`: which destinations, with which logins, and whether to try writing.
"""

from .plan import check_connections
from .report import lines_of, report
from .steps import DESTINATIONS, FAILED, OK, SLOW, LoginMissing, Step, Wanted

__all__ = [
    "DESTINATIONS",
    "FAILED",
    "OK",
    "SLOW",
    "LoginMissing",
    "Step",
    "Wanted",
    "check_connections",
    "lines_of",
    "report",
]
