"""What BrAPI calls observations in an extract: one for each field of each record that has a value. Pure.

Lab → study, plot → observation unit, field → observation variable, technician → collector.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..constants import FieldNames

SOURCE = "ABQ Data Entry"
"""Who says what the references of ours mean."""

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
    """The file isn't one whose rows are records."""


def moment(date: str, time: str) -> str:
    """Return a time by this computer's time zone, as BrAPI wants it (ISO 8601). Raises `ValueError`."""
    naive = datetime.datetime.strptime(f"{date} {time}", "%Y-%m-%d %H:%M")
    return naive.astimezone().isoformat(timespec="seconds")


def around(date: str) -> tuple[str, str]:
    """Return between which times a day's records are asked for: the day before and after, too.

    Another computer of ours may have another time zone.
    """
    day = datetime.datetime.strptime(date, "%Y-%m-%d")
    return tuple(  # type: ignore[return-value]
        (day + datetime.timedelta(days=days)).astimezone().isoformat(timespec="seconds") for days in (-1, 2)
    )


class RecordKey(NamedTuple):
    """Which record: date, time of the check, lab and plot, as the extract has them."""

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
    """One row: the values by field, none that is empty."""

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
    """Return the reference as 2.1 wants it; 2.0 wrote the name of one member in another way."""
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
    """Whether both are the same value of that field: a server may keep numbers, and write them in its own way."""
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
    """Return what a study is made of."""
    named = {"studyName": f"Lab {lab}", "active": True, "externalReferences": references(f"lab {lab}")}
    return {**named, **({"trialDbId": trial} if trial else {})}


def new_unit(lab: str, plot: str, study: str) -> dict[str, Any]:
    """Return what an observation unit is made of."""
    return {
        "observationUnitName": f"Lab {lab} plot {plot}",
        "studyDbId": study,
        "observationUnitPosition": {"observationLevel": {"levelName": "plot", "levelCode": plot}},
        "externalReferences": references(f"lab {lab} plot {plot}"),
    }


def new_variable(name: str) -> dict[str, Any]:
    """Return what an observation variable is made of."""
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
    """Whether that study is the lab, by our reference, else by its name."""
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
