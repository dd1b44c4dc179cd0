"""Where the database is: a server by settings, or our own embedded PostgreSQL (start, attach, stop)."""

from .backup import dump, restore
from .endpoints import configured, dsn
from .errors import PostgresError
from .programs import binaries
from .server import EmbeddedServer, start

__all__ = ["EmbeddedServer", "PostgresError", "binaries", "configured", "dsn", "dump", "restore", "start"]
