"""Another cluster in the place of the embedded one: made whole beside it first; the old one is kept."""

import datetime
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from ..retrying import BUSY, Retries
from .cluster import PUT_ASIDE
from .errors import system_errors_told
from .home import Home, home_in, locked
from .process import stop_server
from .server import EmbeddedServer, start

_WORKSHOP = "new-database"
_REMOVING = 5.0  # seconds


def replace_cluster(data_folder: Path, fill: Callable[[EmbeddedServer], None]) -> Path:
    """Put a new cluster, which `fill` fills, in the place of the present one; where that is kept.

    Until the new one is whole the present one stays as it is, running or not. Whatever interrupts this, it can be
    repeated; the old one is never lost. Raises PostgresError, and what `fill` raises.
    """
    home = home_in(data_folder)
    workshop = data_folder.absolute() / _WORKSHOP
    with locked(home.folder / "replacing.lock"):
        _clear(workshop)
        new = _workshop(workshop, home)
        try:
            server = start(workshop, idle_seconds=600.0, over_tcp=home.passfile.exists())
            try:
                fill(server)
            finally:
                server.stop()
            return _exchange(home, new)
        finally:
            _clear(workshop)


def _workshop(workshop: Path, home: Home) -> Path:
    """The folder of the new server, which belongs to the user that the present one does."""
    folder = workshop / home.folder.name
    with system_errors_told("The folder for the new database", workshop):
        folder.mkdir(mode=0o700, parents=True)
        home.account.own(folder)
    return folder


def _exchange(home: Home, new: Path) -> Path:
    moment = datetime.datetime.now().strftime("%Y-%m-%dT%H%M%S")
    aside = home.folder / f"{PUT_ASIDE}{moment}"
    with locked(home.lock), system_errors_told("The database folder", home.folder):
        stop_server(home)
        if os.path.lexists(home.cluster):
            home.cluster.rename(aside)
        # From here to the last line there is no cluster: a start in between is refused as long as one is kept aside.
        if (new / home.passfile.name).exists():
            (new / home.passfile.name).replace(home.passfile)
        (new / home.cluster.name).rename(home.cluster)
    return aside


def _clear(workshop: Path) -> None:
    """Remove what was left of an earlier attempt, after its server has ended."""
    if not workshop.exists():
        return
    left = home_in(workshop)
    with locked(left.lock):
        stop_server(left)
    with locked(left.watcher_lock):  # nothing of it comes back once it is removed
        pass
    until = time.monotonic() + _REMOVING
    retries = Retries(BUSY)
    shutil.rmtree(workshop, ignore_errors=True)
    while workshop.exists() and time.monotonic() < until:  # a process of its server wrote a last file
        time.sleep(retries.failed())
        shutil.rmtree(workshop, ignore_errors=True)
