"""Which database a record belongs to: what waits for one is never saved into another."""

from __future__ import annotations

from collections.abc import Mapping

_EMBEDDED = "this computer"


def database_name(settings: Mapping[str, object]) -> str:
    """Return the name of the database that the settings lead to, such as `db1:5432,db2:5432/abq`."""
    hosts = _listed(settings.get("db_host"))
    ports = _listed(settings.get("db_port")) or ["5432"]
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    where = ",".join(f"{host.lower()}:{port}" for host, port in zip(hosts, ports, strict=True)) or _EMBEDDED
    return f"{where}/{str(settings.get('db_name') or '').strip() or 'abq'}"


def same_database(name: str, other: str) -> bool:
    """Tell whether both names mean one database: a cluster that lost or won a server is still the same."""
    (hosts, _, database), (others, _, other_database) = name.rpartition("/"), other.rpartition("/")
    return database == other_database and bool(set(hosts.split(",")) & set(others.split(",")))


def _listed(value: object) -> list[str]:
    return [part.strip() for part in str(value or "").split(",") if part.strip()]
