"""A cluster whose files are damaged is told as that, and left as it is: never repaired, never made again."""

import re

from .errors import Damaged, PostgresError, reason_in
from .home import Home

# What the server says when it can't start (messages of xlogrecovery.c, controldata_utils.c, miscinit.c, smgr and md).
_DAMAGE = re.compile(
    r"PANIC|could not (?:locate|open|read|access|stat|seek|map)|invalid (?:data in|page|primary|secondary|checkpoint)"
    r"|incorrect checksum|checksum verification failed|files are incompatible|is not a (?:valid )?(?:data|database)"
    r"|is missing|does not exist|unexpected|corrupt|bogus|requested timeline"
)
_NOT_OURS = re.compile(r"has wrong ownership|has invalid permissions|Permission denied|group or world access")
_SETTINGS = re.compile(r"configuration file|invalid value for parameter|unrecognized configuration|pg_hba|pg_ident")
_ELSEWHERE = re.compile(r"No space left|Read-only file system|shared memory|Address already in use|lock file")
SERVER_KILLED = "FATAL:  the server was ended from outside while it was starting"
"""What the server can't say itself."""
# Said at a start after a recovery that was interrupted, which is no damage.
_INTERRUPTED = re.compile(r"^.*probably means that some data is corrupted.*$", re.MULTILINE)
_NEEDED = ("global/pg_control", "base", "pg_wal")


def version_of(home: Home) -> str:
    """The major version that the cluster says it is of. Raises Damaged when it says none."""
    try:
        made_by = (home.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except PermissionError as error:
        raise _not_ours(home, str(error)) from error
    except FileNotFoundError as error:
        raise _damaged(home, "it has no file PG_VERSION", str(error)) from error
    except (OSError, ValueError) as error:
        raise _damaged(home, "its file PG_VERSION can't be read", str(error)) from error
    if not re.fullmatch(r"\d+(\.\d+)?", made_by):
        raise _damaged(home, "its file PG_VERSION is empty or makes no sense")
    return made_by


def refuse_incomplete(home: Home) -> None:
    """Raise Damaged when what every cluster has isn't there."""
    for name in _NEEDED:
        if not (home.cluster / name).exists():
            raise _damaged(home, f"{name} is missing")


def start_failure(home: Home, said: str) -> PostgresError:
    """Why the server didn't start, by what it said: damage, somebody else's files, or another reason."""
    if _NOT_OURS.search(said):
        return _not_ours(home, said)
    if _DAMAGE.search(_INTERRUPTED.sub("", said)) and not _SETTINGS.search(said) and not _ELSEWHERE.search(said):
        return _damaged(home, f"the server doesn't start with it ({reason_in(said).rstrip('.')})", said)
    return PostgresError(f"The database server in {home.folder} didn't start: {reason_in(said)}", said)


def _damaged(home: Home, reason: str, detail: str = "") -> Damaged:
    return Damaged(f"The database in {home.cluster} is damaged: {reason}. Nothing was changed.", detail)


def _not_ours(home: Home, detail: str) -> PostgresError:
    return PostgresError(
        f"The files of the database in {home.cluster} don't belong to the user {home.account.name}, or others may read"
        f" them. Nothing was changed. Give them back: chown -R {home.account.name} and chmod -R go= for that folder.",
        detail,
    )
