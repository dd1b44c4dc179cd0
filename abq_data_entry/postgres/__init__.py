"""Where the database is: a server by settings, or our own embedded PostgreSQL (start, attach, stop)."""

from .backup import dump, restore
from .endpoints import configured, dsn, notifying, reading
from .errors import Cancelled, Damaged, PostgresError
from .kept_backups import KeptBackups, backups_of, rotation_of, way_back
from .moving import Moved, move
from .ours import refuse_foreign_file
from .pooler import past_pooler
from .programs import binaries
from .replacing import replace_cluster
from .server import EmbeddedServer, start
from .upgrading import upgrade
from .watching import Part

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
