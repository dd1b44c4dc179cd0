"""What every test may ask for: a display, a server, a database, the bundled servers and a window."""

import signal
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from tests import midnight, orphans, programs, temporary

# A process started in the background may ignore Ctrl-C, and all that it starts does too: those that are interrupted
# on purpose need the ordinary way.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # the same under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("abq", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("abq")

midnight.keep_away()
temporary.spare_the_disk()
programs.let_postgres_find_its_libraries()

FIXTURES = (
    "display", "made_once", "server", "database", "servers", "window", "keyrings", "single", "clipboard", "wheel",
)  # fmt: skip
pytest_plugins = ["tests.needs", "tests.workers", "tests.answers", *(f"tests.fixtures.{name}" for name in FIXTURES)]

_BUDGET = "budget"
_BEGUN = time.time()


@pytest.fixture
def budgets(record_property: Callable[[str, object], None]) -> Callable[[str], object]:
    """Takes lines that are printed below the tests, such as how many keys a plot takes."""
    return lambda line: record_property(_BUDGET, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests counted, at whichever worker."""
    reports = (each for found in terminalreporter.stats.values() for each in found if hasattr(each, "user_properties"))
    lines = {str(line) for report in reports for name, line in report.user_properties if name == _BUDGET}
    if lines:
        terminalreporter.section("budgets")
        for line in sorted(lines):
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What killed servers left is removed when all workers have ended."""
    if not hasattr(session.config, "workerinput"):
        orphans.remove_orphaned_segments(_BEGUN)
