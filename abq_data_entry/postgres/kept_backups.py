"""The folder of backups that are made by themselves: one a day, and one before each change that can't be undone."""

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .backup import dump
from .contents import snapshot, tables_of
from .errors import Cancelled, PostgresError, system_errors_told
from .home import locked
from .watching import UNWATCHED, Watching

FOLDER = "backups"
_PATIENCE = 600.0  # seconds for another process that makes one
_OWN = re.compile(r"-(\d{4}-\d\d-\d\d|before-)")  # else it is another server's
_DATED = re.compile(r"(?P<name>.+)-(?P<date>\d{4}-\d\d-\d\d)\.dump")


class Rotation(NamedTuple):
    """How many are kept: of the last days, and one of each of the last weeks before them."""

    days: int = 7
    weeks: int = 4


USUAL = Rotation()


class KeptBackups:
    """The backups of one database in a folder. All methods raise PostgresError.

    A file `abq-2026-11-21.dump` is the day's, `abq-before-….dump` one before a change; both are verified, and get their
    names only when they are whole.
    """

    def __init__(self, folder: Path, dbname: str) -> None:
        self.folder = folder.expanduser().absolute()
        self._name = re.sub(r"[^\w.-]", "_", dbname)

    def newest(self) -> Path | None:
        """The newest backup of this database, by whatever it was made; `None` if there is none."""
        found = self._files("*.dump")
        return max(found, key=_moment) if found else None

    def daily(self) -> dict[datetime.date, Path]:
        """The daily backups by their day, the newest first."""
        matches = ((_DATED.fullmatch(path.name), path) for path in self._files("*.dump"))
        dated = {_date(match["date"]): path for match, path in matches if match and match["name"] == self._name}
        return {day: path for day, path in sorted(dated.items(), reverse=True) if day != datetime.date.min}

    def make_daily(
        self,
        endpoint: Mapping[str, str],
        today: datetime.date,
        rotation: Rotation = USUAL,
        watching: Watching = UNWATCHED,
    ) -> Path | None:
        """Make the day's backup, and remove those that needn't be kept any more; `None` if it is there already.

        Another process that is at it is waited for: there is one a day.
        """
        self._make_folder()
        with locked(self.folder / ".lock", _PATIENCE):
            self._tidy()
            made = self._file(today.isoformat())
            fresh = not made.exists()
            if fresh:
                dump(endpoint, made, verify=True, watching=watching)
            for day in superfluous(self.daily(), rotation):
                with suppress(OSError):  # it goes tomorrow
                    self.daily()[day].unlink()
            return made if fresh else None

    def make_before(self, endpoint: Mapping[str, str], change: str, watching: Watching = UNWATCHED) -> Path:
        """Make a backup before a change, such as `restore`, that nobody could undo; it is never removed by itself."""
        self._make_folder()
        moment = datetime.datetime.now().strftime("%Y-%m-%dT%H%M%S")
        made = self._file(f"before-{change}-{moment}")
        dump(endpoint, made, verify=True, anything=True, watching=watching)
        return made

    def before_migration(self, endpoint: Mapping[str, str]) -> Callable[[int], object]:
        """What makes a backup before tables of an older version are changed; it takes the version."""
        return lambda version: self.make_before(endpoint, f"leaving-version-{version}")

    def make_before_restore(self, endpoint: Mapping[str, str], watching: Watching = UNWATCHED) -> Path | None:
        """Make a backup before a restore; `None` where there is no table to lose."""
        with snapshot(endpoint) as connection:
            if not tables_of(connection):
                return None
        try:
            return self.make_before(endpoint, "restore", watching)
        except Cancelled:
            raise
        except PostgresError as error:
            raise PostgresError(
                f"Nothing was restored, since there is no backup of the present database: {error}",
                error.detail,
            ) from error

    def file_name(self, day: datetime.date) -> str:
        """The name of a backup of that day."""
        return self._file(day.isoformat()).name

    def _file(self, rest: str) -> Path:
        return self.folder / f"{self._name}-{rest}.dump"

    def _files(self, pattern: str) -> list[Path]:
        with system_errors_told("The folder of backups (setting backup_folder)", self.folder, "backup_folder"):
            found = self.folder.glob(f"{self._name}-{pattern}")
            return [path for path in found if _OWN.match(path.name[len(self._name) :]) and path.is_file()]

    def _make_folder(self) -> None:
        with system_errors_told("The folder of backups (setting backup_folder)", self.folder, "backup_folder"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _tidy(self) -> None:
        """Remove what daily backups that were killed have left; the caller holds the lock."""
        for path in self.folder.glob(f".{self._name}-????-??-??.dump.*.part"):
            with suppress(OSError):
                path.unlink()


def backups_of(settings: Mapping[str, object], data_folder: Path) -> KeptBackups:
    """The backups that the settings `backup_folder`, `db_name` and `db_host` mean; without a folder those in the data
    folder."""
    folder = str(settings.get("backup_folder") or "").strip()
    # With the server, for two of them may have databases of one name, and a folder may be shared.
    hosts = str(settings.get("db_host") or "").replace(" ", "")
    name = "-".join(filter(None, (str(settings.get("db_name") or "abq"), hosts)))
    return KeptBackups(Path(folder) if folder else data_folder / FOLDER, name)


def rotation_of(settings: Mapping[str, object]) -> Rotation | None:
    """The rotation of `backup_keep` and `backup_keep_weeks`; `None`: no daily backup is wanted."""
    days, weeks = (int(str(settings[name])) for name in ("backup_keep", "backup_keep_weeks"))
    return Rotation(days, weeks) if days else None


def superfluous(days: Iterable[datetime.date], rotation: Rotation) -> list[datetime.date]:
    """Which of the days' backups needn't be kept: neither of the last days nor the last of one of the weeks before."""
    newest_first = sorted(days, reverse=True)
    older = newest_first[max(rotation.days, 1) :]
    last_of_week: dict[tuple[int, int], datetime.date] = {}
    for day in older:
        last_of_week.setdefault(day.isocalendar()[:2], day)
    kept = sorted(last_of_week.values(), reverse=True)[: rotation.weeks]
    return [day for day in older if day not in kept]


def moment_of(backup: Path) -> str:
    """When a backup was made, in words for people: "21 November 2026, 18:02"."""
    made = datetime.datetime.fromtimestamp(_moment(backup))
    return f"{made.day} {made:%B %Y, %H:%M}"


def _moment(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return datetime.date.min


def way_back(backups: KeptBackups) -> str:
    """What to do when the embedded database is damaged: which backup there is, of when, and the word for it."""
    try:
        newest = backups.newest()
    except PostgresError:
        newest = None
    if newest is None:
        return (
            f"There is no backup in {backups.folder}. If you have one elsewhere: abq-data-entry db restore --put-aside "
            "FILE keeps the damaged database beside a new one, into which the backup goes."
        )
    return (
        f"The newest backup is of {moment_of(newest)}. To go back to it: abq-data-entry db restore --put-aside "
        f'"{newest}". The damaged database is kept beside the new one.'
    )
