"""A Frictionless data package: the rows as CSV, and `datapackage.json`, which describes the columns.

Texts aren't neutralised, because readers of packages use the types, and don't run formulas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from abq_data_entry import fields
from abq_data_entry.constants import FieldTypes
from abq_data_entry.exporting.csv_text import CsvWriter
from abq_data_entry.exporting.formats import CsvStyle, FormatMissing, Metadata, Sink
from abq_data_entry.exporting.texts import NUMBERS
from abq_data_entry.models.view_rows import RECORDS, Column

DESCRIPTION = "datapackage.json"
TERMS = "http://purl.obolibrary.org/obo/"
"""The prefix of an ontology term's URL; the term's identifier follows, with `_` for the colon."""

KEYS: Mapping[str, tuple[str, ...]] = {
    RECORDS: fields.RECORD_KEY,
    "plot_readings": ("date", "time", "lab", "plot"),
    "check_means": ("lab", "date", "time"),
    "climate_by_check": ("lab", "date", "time"),
    "completeness": ("date", "time", "lab"),
    "control_chart": ("lab", "field", "moment"),
    "copied_records": ("date", "time", "lab", "plot"),
    "digit_preference": ("technician", "field"),
    "entry_log": ("date", "time", "lab", "plot"),
    "growth": ("lab", "plot", "seed_sample", "date"),
    "local_weather": ("datetime",),
    "reading_outliers": ("date", "time", "lab", "plot", "field"),
    "sensor_drift": ("lab", "plot", "field"),
    "weather_correlation": ("lab", "field", "lag_hours"),
}
"""The key columns of each view that has any."""

_BY_COLUMN = {each.column: each for each in fields.FIELDS}
_OF_READINGS = (RECORDS, "plot_readings")
_TYPES = {
    "date": "date", "time": "time", "timestamptz": "datetime", "bool": "boolean", "int2": "integer", "int4": "integer",
    "int8": "integer", "numeric": "number", "float4": "number", "float8": "number", "_int2": "array", "_int4": "array",
    "json": "object", "jsonb": "object",
}  # fmt: skip


class PackageWriter:
    """Writes the CSV and, at the end, the description."""

    def __init__(self, sink: Sink, metadata: Metadata, style: CsvStyle) -> None:
        self._sink, self._metadata, self._style = sink, metadata, style
        self._others = _other_resources(metadata.target)
        self._csv = CsvWriter(sink, metadata, style, neutral=False)

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write the next rows."""
        self._csv.write(rows)

    def finish(self) -> list[str]:
        """Write the rest, and the description."""
        self._csv.finish()
        package = {
            "profile": "tabular-data-package",
            "name": "abq-data-entry",
            "title": "Records of the ABQ laboratories, and what is computed from them",
            "resources": [*self._others, resource(self._metadata, self._style)],
        }
        place = self._sink.folder / DESCRIPTION
        place.write_text(json.dumps(package, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        self._sink.beside[DESCRIPTION] = place
        return []

    def close(self) -> None:
        """Close the file."""
        self._csv.close()


def open_writer(sink: Sink, metadata: Metadata, style: CsvStyle) -> PackageWriter:
    """Return a writer of data packages."""
    return PackageWriter(sink, metadata, style)


def resource(metadata: Metadata, style: CsvStyle) -> dict[str, object]:
    """Return the package's description of one CSV."""
    schema: dict[str, object] = {
        "fields": [_field(each, metadata, style) for each in metadata.columns],
        "missingValues": [""],
    }
    if metadata.view in KEYS:
        schema["primaryKey"] = list(KEYS[metadata.view])
    return {
        "profile": "tabular-data-resource",
        "name": metadata.view.replace("_", "-"),
        "path": metadata.target.name,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8-sig" if style.bom else "utf-8",
        "dialect": {"delimiter": ";" if style.semicolon else ",", "lineTerminator": "\r\n", "header": True},
        "schema": schema,
    }


def _field(column: Column, metadata: Metadata, style: CsvStyle) -> dict[str, object]:
    kind = _TYPES.get(column.type, "string")
    found: dict[str, object] = {"name": column.name, "type": kind}
    if kind == "time":
        found["format"] = "%H:%M" if metadata.view == RECORDS else "%H:%M:%S"
    if kind == "boolean":
        found |= {"trueValues": ["true"], "falseValues": ["false"]}
    if kind == "number" and column.type in NUMBERS and style.decimal_comma:
        found["decimalChar"] = ","
    if column.comment:
        found["description"] = column.comment
    if column.unit:
        found["unit"] = column.unit
    if column.term:
        found["rdfType"] = TERMS + column.term.replace(":", "_")
    if limits := _limits(column, metadata.view, kind):
        found["constraints"] = limits
    return found


def _limits(column: Column, view: str, kind: str) -> dict[str, object]:
    """Return the constraints of a column: the form's limits, and whether it is required."""
    limits: dict[str, object] = {"required": True} if column.name in KEYS.get(view, ()) else {}
    names = {each.name: each for each in fields.FIELDS} if view == RECORDS else _BY_COLUMN
    known = names.get("lab_id" if column.name == "lab" else column.name) if view in _OF_READINGS else None
    if known is None:
        return limits
    if not known.nullable:
        limits["required"] = True
    if kind in ("integer", "number"):
        limits |= _numbers(known)
    elif known.length is not None and kind == "string":
        limits["maxLength"] = known.length
        if known.type is FieldTypes.STRING:
            limits["minLength"] = known.length
    return limits


def _numbers(known: fields.Field) -> dict[str, object]:
    ends = {"minimum": known.minimum, "maximum": known.maximum}
    return {
        name: int(end) if end == int(end) else float(end) for name, end in ends.items() if end is not None
    }


def _other_resources(target: Path) -> list[object]:
    """Return the other files in an earlier description in that folder, so that they stay in the package."""
    place = target.parent / DESCRIPTION
    if not place.exists():
        return []
    try:
        found = json.loads(place.read_text(encoding="utf-8"))["resources"]
        return [each for each in found if each["path"] != target.name]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatMissing(f"{place} is no description of a data package. Name another folder.") from error
