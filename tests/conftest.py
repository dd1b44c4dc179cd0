"""What every test may ask for: a display, a server, a database, the bundled servers and a window."""

import importlib.util

# A room's fixtures may be missing while the house is being built.
_FIXTURES = ["display", "server", "database", "servers", "window"]
pytest_plugins = [
    f"tests.fixtures.{name}" for name in _FIXTURES if importlib.util.find_spec(f"tests.fixtures.{name}")
]
