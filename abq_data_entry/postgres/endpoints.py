"""Where a database is, as libpq keywords: of a server by settings, and written as a connection string."""

import re
from collections.abc import Mapping

from .errors import PostgresError

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PLAIN = re.compile(r"[^\s'\\]+")
# A lost server is noticed after seconds instead of libpq's two hours: what is saved meanwhile waits in the journal, and
# the next server of a cluster is tried.
_CONNECT_SECONDS = "5"
_CONNECT_SECONDS_A_HOST = "2"  # the least that libpq takes
_ALIVE = {
    "keepalives": "1",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "6000",
    "application_name": "ABQ Data Entry",
}


def configured(settings: Mapping[str, object]) -> dict[str, str]:
    """The endpoint of the server that the settings name: `db_host` (several by commas), `db_port`, `db_name`,
    `db_sslmode`, `db_sslrootcert`. User and password come from the login dialog.

    Raises PostgresError when a setting makes no sense.
    """
    texts = {name: str(settings.get(name) or "").strip() for name in _SETTINGS}
    hosts = _listed(texts["db_host"])
    if not hosts:
        raise PostgresError("The setting db_host is empty: no database server is configured.")
    ports = _listed(texts["db_port"])
    if len(ports) not in (0, 1, len(hosts)) or not all(_is_port(port) for port in ports):
        raise PostgresError("The setting db_port must be a number from 1 to 65535, or one for each host of db_host.")
    mode = texts["db_sslmode"]
    if mode and mode not in _SSL_MODES:
        raise PostgresError(f"The setting db_sslmode must be one of {', '.join(_SSL_MODES)}.")
    endpoint = {"host": ",".join(hosts), "port": ",".join(ports), "dbname": texts["db_name"] or "abq"}
    endpoint |= {"sslmode": mode, "sslrootcert": texts["db_sslrootcert"]}
    endpoint["connect_timeout"] = _CONNECT_SECONDS_A_HOST if len(hosts) > 1 else _CONNECT_SECONDS
    if len(hosts) > 1:
        endpoint["target_session_attrs"] = "read-write"  # the primary of a cluster, not a standby
    return {key: value for key, value in endpoint.items() if value} | _ALIVE


def reading(settings: Mapping[str, object]) -> dict[str, str]:
    """The endpoint that histories are read from: `db_read_host` (several by commas), `db_read_port` (empty: `db_port`),
    the rest as `configured`. Empty where the setting is. Raises PostgresError when a setting makes no sense.
    """
    endpoint = _elsewhere(settings, "read")
    several = "," in endpoint.get("host", "")
    return endpoint | ({"target_session_attrs": "prefer-standby"} if several else {})


def notifying(settings: Mapping[str, object]) -> dict[str, str]:
    """The endpoint that tells what others save, and knows who is there: `db_notify_host`, `db_notify_port`, for a
    server behind a pooler. Empty, and raises, as `reading`.
    """
    return _elsewhere(settings, "notify")


def _elsewhere(settings: Mapping[str, object], purpose: str) -> dict[str, str]:
    hosts = str(settings.get(f"db_{purpose}_host") or "").strip()
    if not hosts:
        return {}
    port = str(settings.get(f"db_{purpose}_port") or "").strip() or settings.get("db_port")
    return configured({**settings, "db_host": hosts, "db_port": port})


_SETTINGS = ("db_host", "db_port", "db_name", "db_sslmode", "db_sslrootcert")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def dsn(endpoint: Mapping[str, str]) -> str:
    """The endpoint as a connection string that psql takes as it is, without the password.

    Quoted as libpq's manual says in "Keyword/Value Connection Strings".
    """
    return " ".join(f"{key}={_quoted(value)}" for key, value in endpoint.items() if key != "password")


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
