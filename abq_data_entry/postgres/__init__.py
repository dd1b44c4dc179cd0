"""Where the database is: on a server named by the settings, or in our own embedded PostgreSQL (start, attach, stop)."""

from .backup import KeptBackups, backups_of, dump, recovery_advice, restore, rotation_of
from .connections import bypassing_pooler, dsn, notify_endpoint, read_endpoint, server_endpoint
from .dumps import refuse_foreign_file
from .errors import Cancelled, Damaged, PostgresError, SubMonitor
from .moving import Moved, move, replace_cluster, upgrade
from .programs import binaries
from .server import EmbeddedServer, start

__all__ = [
    "Cancelled",
    "Damaged",
    "EmbeddedServer",
    "KeptBackups",
    "Moved",
    "PostgresError",
    "SubMonitor",
    "backups_of",
    "binaries",
    "bypassing_pooler",
    "dsn",
    "dump",
    "move",
    "notify_endpoint",
    "read_endpoint",
    "recovery_advice",
    "refuse_foreign_file",
    "replace_cluster",
    "restore",
    "rotation_of",
    "server_endpoint",
    "start",
    "upgrade",
]
