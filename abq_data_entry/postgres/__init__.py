"""Where the database is: a server by settings, or our own embedded PostgreSQL (start, attach, stop)."""

from .backup import KeptBackups, backups_of, dump, restore, rotation_of, way_back
from .connections import configured, dsn, notifying, past_pooler, reading
from .dumps import refuse_foreign_file
from .errors import Cancelled, Damaged, Part, PostgresError
from .moving import Moved, move, replace_cluster, upgrade
from .programs import binaries
from .server import EmbeddedServer, start

__all__ = [
    "Cancelled",
    "Damaged",
    "EmbeddedServer",
    "KeptBackups",
    "Moved",
    "Part",
    "PostgresError",
    "backups_of",
    "binaries",
    "configured",
    "dsn",
    "dump",
    "move",
    "notifying",
    "past_pooler",
    "reading",
    "refuse_foreign_file",
    "replace_cluster",
    "restore",
    "rotation_of",
    "start",
    "upgrade",
    "way_back",
]
