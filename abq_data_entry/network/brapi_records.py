"""A BrAPI server, and the mapping of our records: one observation for each field of each record that has a value.

Lab → study, plot → observation unit, field → observation variable, technician → collector: found by our external
reference or by name, else created. Which observation has which of our values is kept on this computer, in SQLite.
Sources:
BrAPI 2.1 (brapi.org): metadata with pagination and status, result with data; `Authorization: Bearer`.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import decimal
import json
import logging
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from ..constants import FieldNames
from ..folders import data_folder
from . import rest_answers
from .failures import UserFacingError, on_one_line
from .rest import RestUploads
from .rest_answers import RestConnectionError, RestError, RestStatusError, status_messages

if TYPE_CHECKING:
    import sqlite3

SOURCE = "ABQ Data Entry"
"""The source of our external references: whose they are."""

_KEY = (FieldNames.DATE, FieldNames.TIME, FieldNames.LAB, FieldNames.PLOT)
_DESCRIBING = (*_KEY, FieldNames.TECHNICIAN, FieldNames.SEED_SAMPLE)
_ALL = tuple(str(value) for name, value in vars(FieldNames).items() if name.isupper())
VARIABLES = tuple(each for each in _ALL if each not in _DESCRIBING)
UNITS = {
    FieldNames.HUMIDITY: "g/m³", FieldNames.LIGHT: "klx", FieldNames.TEMPERATURE: "°C", FieldNames.MIN_HEIGHT: "cm",
    FieldNames.MAX_HEIGHT: "cm", FieldNames.MEDIAN_HEIGHT: "cm",
}  # fmt: skip
_FORMULA = re.compile(r"'+[=+\-@\t\r\n]")  # what the extract puts an apostrophe before


class NotAnExtract(ValueError):
    """The rows of the file aren't records."""


def moment(date: str, time: str) -> str:
    """Return a time by this computer's time zone, as BrAPI wants it (ISO 8601). Raises `ValueError`."""
    naive = datetime.datetime.strptime(f"{date} {time}", "%Y-%m-%d %H:%M")
    return naive.astimezone().isoformat(timespec="seconds")


def search_range(date: str) -> tuple[str, str]:
    """Return the range of times in which a day's records are searched: from the day before to the day after.

    Another computer of ours may have another time zone.
    """
    day = datetime.datetime.strptime(date, "%Y-%m-%d")
    return tuple(  # type: ignore[return-value]
        (day + datetime.timedelta(days=days)).astimezone().isoformat(timespec="seconds") for days in (-1, 2)
    )


class RecordKey(NamedTuple):
    """The key of a record: date, time of the check, lab and plot, as the extract has them."""

    date: str
    time: str
    lab: str
    plot: str

    @property
    def text(self) -> str:
        """The reference of the record, the same for ever: `2026-11-21 8:00 A 1`."""
        return " ".join(self)

    @property
    def moment(self) -> str:
        """The time of the check."""
        return moment(self.date, self.time)


class Record(NamedTuple):
    """One row: its values by field, without empty ones."""

    key: RecordKey
    technician: str
    seed_sample: str
    values: Mapping[str, str]


def records_in(lines: Iterable[str]) -> Iterator[Record]:
    """Yield the records of an extract. Raises `NotAnExtract`."""
    rows = csv.DictReader(lines, strict=True)
    try:
        if not set(_ALL) <= set(rows.fieldnames or ()):
            raise NotAnExtract
        for row in rows:
            texts = {name: _plain(row[name]) for name in _ALL}
            key = RecordKey(*(texts[name] for name in _KEY))
            _ = key.moment
            values = {name: texts[name] for name in VARIABLES if texts[name]}
            yield Record(key, texts[FieldNames.TECHNICIAN], texts[FieldNames.SEED_SAMPLE], values)
    except (csv.Error, ValueError, TypeError, AttributeError):
        raise NotAnExtract from None


def _plain(text: str) -> str:
    return text[1:] if _FORMULA.match(text) else text


def references(text: str) -> list[dict[str, str]]:
    """Return the reference as 2.1 wants it, and with the name that one of its members has in 2.0."""
    return [{"referenceId": text, "referenceID": text, "referenceSource": SOURCE}]


def reference_of(thing: Mapping[str, Any]) -> str:
    """Return our reference of something that a server has; '' if it has none."""
    found = thing.get("externalReferences")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and each.get("referenceSource") == SOURCE:
            return str(each.get("referenceId") or each.get("referenceID") or "")
    return ""


def key_in(thing: Mapping[str, Any]) -> RecordKey | None:
    """Return which of our records an observation belongs to, by its reference; None if it is none of ours."""
    words = reference_of(thing).split(" ")
    if len(words) != 4 or not " ".join(words).isprintable() or not words[3].isdecimal():
        return None
    key = RecordKey(*words)
    try:
        return key if key.moment else None
    except (ValueError, OverflowError):
        return None


def value_of(thing: Mapping[str, Any]) -> str:
    """Return the value of an observation as text, whatever it came as."""
    value = thing.get("value")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


def is_same(name: str, one: str, other: str) -> bool:
    """Return whether both are the same value of that field: a server may keep numbers, and write them in its own
    way."""
    if one == other or name == FieldNames.NOTES or not one or not other or len(one + other) > 100:
        return one == other
    try:
        return decimal.Decimal(one) == decimal.Decimal(other)
    except decimal.InvalidOperation:
        return one.casefold() == other.casefold()


def observation(
    record: Record | RecordKey, name: str, value: str, unit: str, variable: str, study: str
) -> dict[str, Any]:
    """Return what is sent of one value; `unit`, `variable`, `study`: the server's own identifiers."""
    key = record if isinstance(record, RecordKey) else record.key
    told: dict[str, Any] = {
        "observationUnitDbId": unit,
        "observationVariableDbId": variable,
        "observationVariableName": name,
        "studyDbId": study,
        "observationTimeStamp": key.moment,
        "value": value,
        "externalReferences": references(key.text),
    }
    if isinstance(record, Record):
        told["collector"] = record.technician
        told["additionalInfo"] = {"seedSample": record.seed_sample}
    return told


def new_study(lab: str, trial: str) -> dict[str, Any]:
    """Return a new study, as it is sent."""
    named = {"studyName": f"Lab {lab}", "active": True, "externalReferences": references(f"lab {lab}")}
    return {**named, **({"trialDbId": trial} if trial else {})}


def new_unit(lab: str, plot: str, study: str) -> dict[str, Any]:
    """Return a new observation unit, as it is sent."""
    return {
        "observationUnitName": f"Lab {lab} plot {plot}",
        "studyDbId": study,
        "observationUnitPosition": {"observationLevel": {"levelName": "plot", "levelCode": plot}},
        "externalReferences": references(f"lab {lab} plot {plot}"),
    }


def new_variable(name: str) -> dict[str, Any]:
    """Return a new observation variable, as it is sent."""
    kind = {FieldNames.NOTES: "Text", FieldNames.EQUIPMENT_FAULT: "Nominal"}.get(name, "Numerical")
    unit = UNITS.get(name)
    scale = {"scaleName": unit or kind, "dataType": kind, **({"units": unit} if unit else {})}
    return {
        "observationVariableName": name,
        "trait": {"traitName": name},
        "method": {"methodName": f"{name}, entered by a technician"},
        "scale": scale,
        "externalReferences": references(f"field {name}"),
    }


def is_study(thing: Mapping[str, Any], lab: str) -> bool:
    """Return whether that study is the lab, by our reference, else by its name."""
    ours = reference_of(thing)
    named = str(thing.get("studyName") or "").casefold()
    return ours == f"lab {lab}" if ours else named in (lab.casefold(), f"lab {lab}".casefold())


def plot_of(thing: Mapping[str, Any], lab: str) -> str:
    """Return the number of the plot that this observation unit is, by our reference, level or name; '' if none."""
    if ours := reference_of(thing):
        return ours.removeprefix(f"lab {lab} plot ") if ours.startswith(f"lab {lab} plot ") else ""
    position = thing.get("observationUnitPosition")
    level = position.get("observationLevel") if isinstance(position, dict) else None
    if isinstance(level, dict) and level.get("levelName"):
        if str(level["levelName"]).casefold() != "plot":
            return ""  # a plant, or a block, of the same number
        code = str(level.get("levelCode") or "")
        if code.isdecimal() and len(code) < 10:
            return str(int(code))
    name = str(thing.get("observationUnitName") or "").casefold()
    found = re.fullmatch(rf"(?:lab )?(?:{re.escape(lab.casefold())}[ _-]?)?(?:plot[ _-]?)?0*([1-9][0-9]*)", name)
    return found[1] if found else ""


def variable_of(thing: Mapping[str, Any]) -> str:
    """Return the field that this observation variable is, by our reference, else by its name; '' if none."""
    if ours := reference_of(thing):
        return ours.removeprefix("field ") if ours.removeprefix("field ") in VARIABLES else ""
    # Breedbase puts the term behind the name: Humidity|CO_334:0000092
    name = str(thing.get("observationVariableName") or "").partition("|")[0].strip().casefold()
    return next((each for each in VARIABLES if each.casefold() == name), "")


PAGE = 1000
"""The page size of a query; a server may return fewer."""

_LARGEST = 16 * 1024 * 1024
_MOST_PAGES = 2000
_TRIES = 3  # for what a server couldn't do at that moment

Thing = dict[str, Any]


class BrapiRefused(UserFacingError, requests.RequestException):
    """The server didn't take all of it; the text says how much, and why."""


class BrapiService(RestUploads):
    """Requests to one server over one login. `ask`, `things` and the like run under a guard (`_outcome`).

    `was_told`: whether the last refusal said why, as BrAPI does.
    """

    was_told = False

    def ask(self, method: str, path: str, body: object = None, **query: str) -> Thing:
        """Return the answer, a JSON object; log in again after a 401. Raises `RestStatusError` unless it is a success.

        Everything but a POST is repeated if the server couldn't answer.
        """
        for tries in range(_TRIES if method != "POST" else 1):
            try:
                return self._answer(method, path, body, query)
            except RestStatusError as error:
                status = error.response.status_code if error.response is not None else 0
                if status < 500 or error.retry_after or tries == _TRIES - 1 or method == "POST":
                    raise
        raise AssertionError

    def things(self, path: str, **query: str) -> Iterator[Thing]:
        """Yield all that the server has there, page by page. Raises `RestError` where it gives the same again."""
        before: list[Any] = []
        for page in range(_MOST_PAGES):
            answer = self.ask("GET", path, **query, page=str(page), pageSize=str(PAGE))
            found, pages = data_of(answer), _pages(answer)
            result = answer.get("result")
            if not isinstance(result, dict) or not isinstance(result.get("data"), list | None):
                raise self._no_brapi(path)  # an answer without data means an empty list only if it says so
            if page and found and found == before:
                if pages is None:
                    return  # it doesn't do paging, and sent everything at once
                raise RestError(f"The server {self._host} gives the same page of {path} again and again.")
            before = found
            yield from found
            if not found or (pages is not None and page + 1 >= pages):  # a page may have fewer entries than requested
                return
        raise RestError(f"The server {self._host} has too many {path} to be looked through.")

    def _answer(self, method: str, path: str, body: object, query: Mapping[str, str]) -> Thing:
        was_logged_in = self._log_in()
        try:
            response, page = self._send(method, path, body, query)
        except requests.ConnectionError as error:
            if method == "POST" or not self._was_cut(error):
                raise
            self._session.close()  # the server closed the connection that it had kept open
            response, page = self._send(method, path, body, query)
        if response.status_code == 401 and self._login.has_address and was_logged_in:
            self._logged_in = False
            self._log_in()
            response, page = self._send(method, path, body, query)
        answer = _json(page) if len(page) <= _LARGEST else None
        is_page = not isinstance(answer, dict) and rest_answers.is_login_page(page[:_LARGEST])
        if not 200 <= response.status_code < 300 or is_page:
            self._check_answer(response, page)
        if len(page) > _LARGEST:
            raise RestError(f"The server {self._host} answers with more than {_LARGEST >> 20} MiB to {path}.")
        if not isinstance(answer, dict):
            raise self._no_brapi(path)
        return answer

    def said_in(self, answer: Thing) -> str:
        """Return what an answer says went wrong, on one line, without secrets that it may repeat; '' if nothing."""
        return on_one_line(self._conceal(" ".join(status_messages(answer))))

    def _no_brapi(self, path: str) -> RestError:
        return RestError(f"What the server {self._host} answers to {path} isn't BrAPI. Check the address.")

    def _check_answer(self, response: requests.Response, page: bytes) -> None:
        said = " ".join(status_messages(_json(page)))
        self.was_told = bool(said)
        # BrAPI says why within metadata.status: that goes where other services say it.
        page = json.dumps({"message": said}).encode() if said else page
        try:
            rest_answers.check(
                response, page, "The server {host} answered with a login page. Check the address.", "", self._conceal
            )
        except RestStatusError as error:
            if response.status_code == 401:
                self._refusal = rest_answers.sanitized(error)
            raise

    def _send(
        self, method: str, path: str, body: object, query: Mapping[str, str]
    ) -> tuple[requests.Response, bytes]:
        url = f"{self._urls[1].rstrip('/')}/{path}"
        content: dict[str, Any] = {} if body is None else {"json": body}
        if query:
            url = f"{url}?{urllib.parse.urlencode(query)}"
        headers = {"Accept": "application/json", **self._login.headers}
        return self._request(partial(self._session.request, method), url, _read, headers=headers, **content)

    @property
    def _host(self) -> str:
        return urllib.parse.urlsplit(self._urls[1]).hostname or ""


def _read(response: requests.Response) -> bytes:
    """Return the answer, or if it is too long, one byte more than the limit."""
    found: bytes = response.raw.read(_LARGEST + 1, decode_content=True)
    return found


def data_of(answer: Thing) -> list[Thing]:
    """Return the things in an answer; what isn't one is left out."""
    result = answer.get("result")
    data = result.get("data") if isinstance(result, dict) else None
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def number_of(thing: Thing, name: str) -> str:
    """Return an identifier as text, whatever it came as; '' if there is none that can be used."""
    found = thing.get(name)
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if 0 < len(text) <= 200 and text.isprintable() else ""


def may_have_succeeded(error: RestStatusError) -> bool:
    """Return whether a request may have been done all the same: the server failed, and named no time for another
    attempt."""
    return error.response is not None and error.response.status_code >= 500 and not error.retry_after


def _json(page: bytes) -> object:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(page[:_LARGEST])
    return None


def _pages(answer: Thing) -> int | None:
    metadata = answer.get("metadata")
    pagination = metadata.get("pagination") if isinstance(metadata, dict) else None
    pages = pagination.get("totalPages") if isinstance(pagination, dict) else None
    return pages if isinstance(pages, int) and not isinstance(pages, bool) and pages > 0 else None


TRIES = 3
"""How often a request is sent to a server that fails."""

_LONGEST_REASON = 300


class Missing(Exception):
    """The server lacks the study, unit or variable of a value, and accepts no new one; the text says which."""


class BrapiPlaces(BrapiService):
    """`trial`: the name of the trial of the labs' studies; '' for none. The others are those of `rest.RestUploads`."""

    def __init__(self, *arguments: Any, trial: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._trial = trial
        self._studies: dict[str, str] = {}
        self._units: dict[str, dict[str, str]] = {}
        self._variables: dict[str, str] = {}

    def close(self) -> None:
        super().close()
        self._studies, self._units, self._variables = {}, {}, {}

    def study(self, lab: str) -> str:
        """Return the identifier of the lab's study. Raises `Missing`."""
        if lab not in self._studies:
            trial = self._find_trial()
            there = {"trialDbId": trial} if trial else {}
            asked = [{"studyName": name, **there} for name in (lab, f"Lab {lab}")]
            if not trial:
                asked.insert(0, {"externalReferenceId": f"lab {lab}", "externalReferenceSource": SOURCE})
            self._studies[lab] = self._find_or_create(
                "studies", "studyDbId", asked, lambda each: is_study(each, lab),
                lambda: new_study(lab, trial), f"study for lab {lab}",
            )  # fmt: skip
        return self._studies[lab]

    def unit(self, lab: str, plot: str) -> str:
        """Return the identifier of the plot's observation unit. Raises `Missing`."""
        study = self.study(lab)
        if lab not in self._units:
            self._units[lab] = self._units_of(lab, study)
        if not self._units[lab].get(plot):
            self._units[lab][plot] = self._create(
                "observationunits", "observationUnitDbId", new_unit(lab, plot, study),
                f"plot {plot} of lab {lab}", lambda: self._units_of(lab, study).get(plot, ""),
            )  # fmt: skip
        return self._units[lab][plot]

    def _units_of(self, lab: str, study: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in self.things("observationunits", studyDbId=study):
            plot, number = plot_of(each, lab), number_of(each, "observationUnitDbId")
            # A server that ignores the filter returns those of other studies too. Of two, everybody uses the first.
            if plot and number and str(each.get("studyDbId") or study) == study:
                found.setdefault(plot, number)
        return found

    def variable(self, field: str) -> str:
        """Return the identifier of the field's variable. Raises `Missing`."""
        if field not in self._variables:
            asked = [
                {"externalReferenceId": f"field {field}", "externalReferenceSource": SOURCE},
                {"observationVariableName": field},
            ]
            self._variables[field] = self._find_or_create(
                "variables", "observationVariableDbId", asked, lambda each: variable_of(each) == field,
                lambda: new_variable(field), f"variable {field}",
            )  # fmt: skip
        return self._variables[field]

    def _find_trial(self) -> str:
        if not self._trial:
            return ""
        for each in self.things("trials", trialName=self._trial):
            if str(each.get("trialName")) == self._trial and (number := number_of(each, "trialDbId")):
                return number
        raise BrapiRefused(f"The server {self._host} has no trial {self._trial}. Nothing was sent.")

    def _find_or_create(
        self, path: str, name: str, asked: list[dict[str, str]], is_it: Callable[[Thing], bool],
        new: Callable[[], Thing], what: str,
    ) -> str:  # fmt: skip
        def look(queries: list[dict[str, str]]) -> str:
            for query in queries:
                for each in self.things(path, **query):
                    if is_it(each) and (number := number_of(each, name)):
                        return number
            return ""

        # Something that was created a moment ago is found by its name, which every server can search for.
        return look(asked) or self._create(path, name, new(), what, lambda: look(asked[-1:]))

    def _create(self, path: str, name: str, new: Thing, what: str, look: Callable[[], str]) -> str:
        """Create something; return its identifier. If the server failed, search for it before trying again.

        Another computer may create it at the same moment: both then use the first one that the server lists.
        """
        for tries in range(TRIES):
            try:
                found = next((number_of(each, name) for each in data_of(self.ask("POST", path, [new]))), "")
            except RestStatusError as error:
                if not error.transient and not error.login_refused:
                    if there := look():
                        return there
                    raise Missing(f"the server has no {what}, and takes no new one: {reason_of(error)}") from None
                if not may_have_succeeded(error) or tries == TRIES - 1:
                    raise
                found = ""
            if found := look() or found:
                return found
        raise Missing(f"the server has no {what}, and didn't make one")


def reason_of(error: RestStatusError) -> str:
    """Return why something was refused, not too long."""
    return str(error).strip()[:_LONGEST_REASON]


log = logging.getLogger(__name__)

_VERSION = 1
_KEPT = 120  # days of records
_TABLE = """CREATE TABLE IF NOT EXISTS known (
    place TEXT NOT NULL, -- the address of the server
    date TEXT NOT NULL,
    record TEXT NOT NULL, -- time, lab and plot
    content TEXT NOT NULL, -- by field: the server's identifier, and the value that it has; as JSON
    PRIMARY KEY (place, date, record)
) WITHOUT ROWID"""

Values = dict[str, tuple[str, str]]
"""By field: the identifier at the server, and the value that it has."""


class KnownFailed(RestConnectionError):
    """The file can't be used at the moment; nothing is sent without a note, and another attempt may succeed."""


class Known:
    """Which of our values one server is known to have."""

    def __init__(self, place: str, path: Path | None = None) -> None:
        self._place = place
        self._path = path

    def of_day(self, date: str) -> dict[RecordKey, Values]:
        """Return what the server is known to have of that day."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT record, content FROM known WHERE place = ? AND date = ?", (self._place, date)
            ).fetchall()
        found: dict[RecordKey, Values] = {}
        for record, content in rows:
            with suppress(ValueError, TypeError, AttributeError):  # the row is damaged: ask the server instead
                time, lab, plot = str(record).split(" ")
                values = {str(name): (str(number), str(value)) for name, (number, value) in json.loads(content).items()}
                found[RecordKey(date, time, lab, plot)] = values
        return found

    def note(self, changed: Mapping[RecordKey, Values]) -> None:
        """Store these durably, and delete what is too old."""
        rows = [
            (self._place, key.date, f"{key.time} {key.lab} {key.plot}", json.dumps(values))
            for key, values in changed.items()
        ]
        with self._open() as connection:
            self._put(connection, rows)

    @staticmethod
    def _put(connection: sqlite3.Connection, rows: Iterable[tuple[str, ...]]) -> None:
        connection.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", rows)
        connection.execute("DELETE FROM known WHERE date < date('now', ?)", (f"-{_KEPT} days",))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        path = self._path or data_folder(create=True) / "brapi.sqlite"
        try:
            with closing(_connect(path)) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            if _is_damage(error):
                _put_aside(path)
            raise KnownFailed(f"The file {path} can't be used ({error}). Try again.") from None


def _connect(path: Path) -> sqlite3.Connection:
    import sqlite3

    for is_last in (False, True):
        path.touch(0o600, exist_ok=True)
        connection = sqlite3.connect(path, timeout=5)  # less than the network's timeout, which would blame the server
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                connection.close()
                raise KnownFailed(f"A newer version of ABQ Data Entry wrote {path}. Install the newer version here.")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("SELECT place, date, record, content FROM known LIMIT 1")
        except sqlite3.DatabaseError as error:
            connection.close()
            if is_last or not _is_damage(error):
                raise
            _put_aside(path)
        else:
            return connection
    raise AssertionError


def _is_damage(error: sqlite3.Error) -> bool:
    import sqlite3

    if isinstance(error, sqlite3.OperationalError):  # in use, or no space: that isn't damage
        return str(error).startswith("no such ")  # another table, or none
    return isinstance(error, sqlite3.DatabaseError)


def _put_aside(path: Path) -> None:
    log.warning("%s is damaged and was set aside: the server is asked for what it has", path)
    for each in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-journal", "-wal"))):
        with suppress(FileNotFoundError):
            each.replace(each.with_name(f"damaged-{each.name}"))
