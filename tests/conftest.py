"""What every test may ask for: a display, a server, a database, the bundled servers and a window."""

import signal

# A process started in the background may ignore Ctrl-C, and all that it starts does too: those that are interrupted
# on purpose need the ordinary way.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

FIXTURES = ("display", "server", "database", "servers", "window", "keyrings", "single", "clipboard")
pytest_plugins = [f"tests.fixtures.{name}" for name in FIXTURES]
