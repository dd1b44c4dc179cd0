"""The settings and their file."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from abq_data_entry.constants import SETTINGS_FILE
from abq_data_entry.folders import config_folder, replacement
from abq_data_entry.log_targets import SETTINGS as LOG_SETTINGS
from abq_data_entry.network.destinations import DESTINATIONS
from abq_data_entry.network.mail_addresses import SETTINGS as MAILBOX_SETTINGS
from abq_data_entry.network.weather_sources import DEFAULT_SOURCES, SOURCES, sources_problem
from abq_data_entry.remote_names import EXTRACT_PATTERN, name_problem
from abq_data_entry.setting import Setting

_LARGEST_FILE = 1024 * 1024
_OF_THE_DATABASE = "db_"


SETTINGS: tuple[Setting, ...] = (
    Setting("autofill date", True),
    Setting("autofill sheet data", True),
    Setting("font size", 9, 6, 48),
    Setting("font family", ""),
    Setting("theme", "default", choices=("default", "light", "dark", "platform")),
    Setting("density", "comfortable", choices=("compact", "comfortable", "spacious")),
    Setting("window geometry", ""),
    Setting("sound", False),
    Setting("implied decimals", False),
    Setting("auto advance", False),
    Setting("correction reason", "other days", choices=("never", "other days", "always")),
    Setting("old_date_days", 7, 0, 36500),
    Setting("db_host", ""),
    Setting("db_port", "5432"),
    Setting("db_name", "abq"),
    Setting("db_read_host", ""),
    Setting("db_read_port", ""),
    Setting("db_notify_host", ""),
    Setting("db_notify_port", ""),
    Setting("db_sslmode", "", choices=("", "disable", "allow", "prefer", "require", "verify-ca", "verify-full")),
    Setting("db_sslrootcert", ""),
    Setting("backup_folder", ""),
    Setting("backup_keep", 7, 0, 3650),
    Setting("backup_keep_weeks", 4, 0, 520),
    Setting("weather_station", "KBMG"),
    Setting("weather_url", "https://forecast.weather.gov/xml/current_obs/{station}.xml"),
    Setting("weather_contact", ""),
    Setting("weather_schedule", True),
    Setting("weather_sources", DEFAULT_SOURCES, check=sources_problem),
    Setting("notices_url", ""),
    Setting("notices_username", ""),
    Setting("notices_security", "", choices=("", "none")),
    Setting("network_timeout", 60, 1, 3600),
    Setting("network_proxy", ""),
    Setting("abq_audit_companion", False),
    Setting("abq_sha256_companion", False),
    Setting("abq_send_report", False),
    Setting("abq_upload_name", EXTRACT_PATTERN, check=name_problem),
    Setting("abq_ca_file", ""),
    *LOG_SETTINGS,
    *MAILBOX_SETTINGS,
    *(setting for source in SOURCES for setting in source.settings),
    *(setting for destination in DESTINATIONS for setting in destination.settings),
)
"""All settings, with their defaults. Add a new one here, or to its destination or weather source."""


def _defaults() -> dict[str, dict[str, object]]:
    return {each.name: {"type": each.type, "value": each.default} for each in SETTINGS}


class SettingsDoubtful(ValueError):
    """The settings file leaves it unclear which database is meant, so the file isn't written."""


class SettingsModel:
    """The settings of the file `filename` in the folder `path` (default: the configuration folder).

    `variables` is `{name: {"type": ..., "value": ...}}`. `problems` has a sentence for each invalid entry of the file:
    the default is used for it, and the entry is kept when the file is written.

    `doubts` are the problems that make it unclear which database is meant: the file can't be read, a name looks like a
    misspelled one of ours, or a setting of the database is invalid. Then no database may be opened, and the file isn't
    written.
    """

    variables: dict[str, dict[str, object]] = _defaults()

    def __init__(self, filename: str | Path = SETTINGS_FILE, path: str | Path | None = None) -> None:
        """Load the file, if there is one; `problems` says what is wrong with it."""
        self.path = (config_folder() if path is None else Path(path)) / filename
        self._settings = {each.name: each for each in SETTINGS}
        self._changed: set[str] = set()
        self._changing = threading.Lock()
        self.problems: list[str] = []
        self.doubts: list[str] = []
        self.load()

    def __getitem__(self, name: str) -> bool | int | str:
        """Return the value of a setting; raises `KeyError` for an unknown one."""
        value = self.variables[name]["value"]
        assert isinstance(value, bool | int | str)
        return value

    def default(self, name: str) -> bool | int | str:
        """Return the default of a setting; raises `KeyError` for an unknown one."""
        return self._settings[name].default

    def values(self) -> dict[str, bool | int | str]:
        """Return the values of all settings by name."""
        return {name: self[name] for name in self.variables}

    def set(self, name: str, value: object) -> None:
        """Set a value. Raises `ValueError` for an unknown setting, a wrong type or an invalid value."""
        setting = self._settings.get(name)
        if setting is None:
            raise ValueError(f"There is no setting {name!r}.")
        problem = setting.problem(value)
        if problem:
            raise ValueError(f"The setting {name!r} {problem}.")
        with self._changing:
            self.variables[name]["value"] = value
            self._changed.add(name)

    def load(self) -> None:
        """Read the file; missing and invalid settings get their defaults."""
        self._changed.clear()
        self.variables = _defaults()
        text, entries, self.doubts = self._read()
        self.problems = list(self.doubts)
        for name, entry in entries.items():
            problem = self._take(name, entry)
            if problem:
                self.problems.append(self._explain(name, problem, text))
                if self._is_doubtful(name):
                    self.doubts.append(self.problems[-1])

    def save(self) -> None:
        """Write the settings that were set here since the file was read into the file as it is now. Raises `OSError`.

        Raises `SettingsDoubtful` if the file leaves it unclear which database is meant; then it isn't changed. What
        another thread sets meanwhile is written by the next save.
        """
        with self._changing:
            changed = {name: self[name] for name in self._changed}
        self._save(changed)
        with self._changing:
            self._changed -= {name for name, value in changed.items() if self[name] == value}

    def _save(self, changed: Mapping[str, bool | int | str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _text, entries, doubts = self._read()
        doubts += [name for name, entry in entries.items() if self._is_doubtful(name) and self._problem(name, entry)]
        if doubts:
            raise SettingsDoubtful(f"{self.path} stays as it is until it is corrected.")
        for name, variable in self.variables.items():
            if name in changed:
                entries[name] = {**variable, "value": changed[name]}
            elif name not in entries:
                entries[name] = dict(variable)
        self._write(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")

    def _take(self, name: str, entry: object) -> str | None:
        """Use the value of an entry, or return why it is invalid, as the end of a sentence."""
        problem = self._problem(name, entry)
        if problem is None and isinstance(entry, dict):
            self.variables[name]["value"] = entry["value"]
        elif isinstance(entry, dict) and self._is_refused(name, entry):
            self.variables[name]["value"] = entry["value"]
            problem = f"{problem}; until it is corrected, nothing is delivered by it"
        elif name in self._settings and not self._is_doubtful(name):
            problem = f"{problem}, so its default is used: {self._settings[name].default!r}"
        return problem

    def _is_refused(self, name: str, entry: Mapping[str, object]) -> bool:
        """Return whether an invalid text is kept, instead of being replaced by the default."""
        return name in self._settings and bool(self._settings[name].refusal(entry.get("value")))

    def _problem(self, name: str, entry: object) -> str | None:
        setting = self._settings.get(name)
        if setting is None:
            meant = likely(name, self._settings)
            return f"is unknown: is {meant!r} meant?" if meant else "is unknown, so it has no effect"
        if not isinstance(entry, dict) or "value" not in entry:
            return f'has no value ({{"type": "{setting.type}", "value": …}} is expected)'
        problem = setting.problem(entry["value"])
        if not problem and entry.get("type", setting.type) != setting.type:
            problem = f"must be of the type {setting.type}, not {entry['type']}"
        return problem

    def _is_doubtful(self, name: str) -> bool:
        """Return whether a problem with a setting of that name makes it unclear which database is meant."""
        return name.startswith(_OF_THE_DATABASE) if name in self._settings else likely(name, self._settings) is not None

    def _explain(self, name: str, problem: str, text: str) -> str:
        line = line_of(name, text)
        place = f"{self.path}, line {line}" if line else str(self.path)
        return f"{place}: the setting {name!r} {problem}{'' if problem.endswith('?') else '.'}"

    def _read(self) -> tuple[str, dict[str, object], list[str]]:
        """Return the text of the file, its entries, and problems of the file as a whole."""
        try:
            if self.path.stat().st_size > _LARGEST_FILE:
                raise ValueError("it is far too large")
            text = self.path.read_text(encoding="utf-8-sig")
            entries = json.loads(text, object_pairs_hook=_without_doubles)
            if not isinstance(entries, dict):
                raise ValueError("it isn't a table of settings")
        except FileNotFoundError:
            return "", {}, []
        except (OSError, ValueError, RecursionError) as error:
            return "", {}, [f"{self.path} can't be read: {error}."]
        return text, entries, []

    def _write(self, text: str) -> None:
        with replacement(self.path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("it has the same name twice")
    return entries


# Which of our settings somebody may have meant, and on which line of the file a name is.

_MOST_LETTERS = 2


def likely(name: str, names: Collection[str]) -> str | None:
    """Return the name that `name` differs from by the fewest letters, two at most."""
    wanted = _folded(name)
    each_by_nearness = ((each, most) for most in range(_MOST_LETTERS + 1) for each in names)
    return next((each for each, most in each_by_nearness if _differ(wanted, _folded(each), most)), None)


def line_of(name: str, text: str) -> int | None:
    """Return the line of the file that a setting's name is on, 1 for the first; None if it isn't found."""
    found = re.search(rf'"{re.escape(name)}"\s*:', text)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.casefold().strip())


def _differ(one: str, other: str, most: int) -> bool:
    """Return whether the edit distance of two words (Damerau-Levenshtein, restricted) is at most `most`."""
    while one and one[:1] == other[:1]:
        one, other = one[1:], other[1:]
    if not (one and other and most):
        return len(one) + len(other) <= most
    changed = [(one[1:], other), (one, other[1:]), (one[1:], other[1:])]
    if one[:2] == other[1::-1]:
        changed.append((one[2:], other[2:]))
    return any(_differ(*each, most - 1) for each in changed)
