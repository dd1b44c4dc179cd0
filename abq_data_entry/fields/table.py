"""The fields of a record: name, type, column, unit, limits and help of each, in the order of the CSV."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from abq_data_entry.constants import CHECK_TIMES, FieldNames, FieldTypes

Choices = Sequence[str] | Sequence[int]
"""The values that a list offers at the moment: texts, or plot numbers."""


class Field(NamedTuple):
    """One field of the record.

    `column` is its name in the tables and `places` the number of decimals. `length` is the number of characters:
    exactly that many for a string, at most that many for a long text or a list. `minimum` and `maximum` are inclusive.
    `values` are the choices of a list that never changes. `help` is what F1 shows.

    `group` is the heading on the form under which the field stands, and `label` its name there. A field without a group
    has a place of its own on the form.

    `ucum` is the unit's code in the Unified Code for Units of Measure, and `term` the measured trait in an ontology
    (TO: the Plant Trait Ontology). Both appear in the comments of the database and in the exports.
    """

    name: str
    type: FieldTypes
    column: str
    help: str
    required: bool = True
    unit: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    places: int = 0
    length: int | None = None
    values: tuple[str, ...] = ()
    group: str = ""
    label: str = ""
    ucum: str = ""
    term: str = ""

    @property
    def nullable(self) -> bool:
        """Whether the column may be NULL: a reading after an equipment fault, a field that may stay empty."""
        return self.name in READINGS or (not self.required and self.type is not FieldTypes.BOOLEAN)


_UCUM = {"g/m³": "g/m3", "klx": "klx", "°C": "Cel", "cm": "cm"}


def _decimal(
    name: str, unit: str, minimum: str, maximum: str, group: str, label: str, help_text: str, term: str = ""
) -> Field:
    return Field(
        name,
        FieldTypes.DECIMAL,
        name.lower().replace(" ", "_"),
        help_text,
        unit=unit,
        minimum=Decimal(minimum),
        maximum=Decimal(maximum),
        places=2,
        group=group,
        label=label,
        ucum=_UCUM[unit],
        term=term,
    )


def _count(name: str, maximum: int, help_text: str, term: str = "") -> Field:
    return Field(
        name,
        FieldTypes.INTEGER,
        name.lower(),
        help_text,
        minimum=Decimal(0),
        maximum=Decimal(maximum),
        group="Plants",
        label=name,
        ucum="1",
        term=term,
    )


FIELDS: tuple[Field, ...] = (
    Field(
        FieldNames.DATE,
        FieldTypes.DATE,
        "date",
        "The day of the check, as year, month and day: 2026-11-21. 20261121 and 2026/11/21 are understood too.",
    ),
    Field(
        FieldNames.TIME,
        FieldTypes.TIME,
        "time",
        "The time the check is due: 8:00, 12:00, 16:00 or 20:00. The hour alone is enough.",
        values=CHECK_TIMES,
    ),
    Field(
        FieldNames.TECHNICIAN,
        FieldTypes.LIST,
        "lab_tech_id",
        "Who took the readings. An administrator adds the names of new technicians.",
        length=512,
    ),
    Field(
        FieldNames.LAB,
        FieldTypes.LIST,
        "lab_id",
        "The laboratory, by its letter. An administrator adds new ones.",
        length=1,
    ),
    Field(
        FieldNames.PLOT,
        FieldTypes.LIST,
        "plot",
        "The number of the plot within the laboratory, 1 to 20.",
        minimum=Decimal(1),
        maximum=Decimal(20),
    ),
    Field(
        FieldNames.SEED_SAMPLE,
        FieldTypes.STRING,
        "seed_sample",
        "The seed sample that grows in this plot, six characters such as AXM477. It is filled in from the plot.",
        length=6,
    ),
    _decimal(
        FieldNames.HUMIDITY,
        "g/m³",
        "0.5",
        "52.0",
        "Environment",
        "Humidity",
        "Absolute humidity of the air at the plot, in grams of water per cubic metre. Empty after an equipment fault.",
    ),
    _decimal(
        FieldNames.LIGHT,
        "klx",
        "0",
        "100",
        "Environment",
        "Light",
        "Light at the plot, in kilolux. Empty after an equipment fault.",
    ),
    _decimal(
        FieldNames.TEMPERATURE,
        "°C",
        "4",
        "40",
        "Environment",
        "Temperature",
        "Temperature at the plot, in degrees Celsius. Empty after an equipment fault.",
    ),
    Field(
        FieldNames.EQUIPMENT_FAULT,
        FieldTypes.BOOLEAN,
        "equipment_fault",
        "Set this when the sensors of the plot failed: humidity, light and temperature then stay empty.",
        required=False,
        group="Environment",
        label="Equipment fault",
    ),
    _count(FieldNames.PLANTS, 20, "How many plants grow in the plot."),
    _count(FieldNames.BLOSSOMS, 1000, "How many blossoms all plants of the plot have together."),
    _count(FieldNames.FRUIT, 1000, "How many fruit all plants of the plot have together.", "TO:0000894"),
    _decimal(
        FieldNames.MIN_HEIGHT,
        "cm",
        "0",
        "1000",
        "Height",
        "Min",
        "Height of the smallest plant of the plot, in centimetres.",
        "TO:0000207",
    ),
    _decimal(
        FieldNames.MAX_HEIGHT,
        "cm",
        "0",
        "1000",
        "Height",
        "Max",
        "Height of the tallest plant of the plot, in centimetres. It is at least the min height.",
        "TO:0000207",
    ),
    _decimal(
        FieldNames.MEDIAN_HEIGHT,
        "cm",
        "0",
        "1000",
        "Height",
        "Median",
        "Median height of the plants of the plot, in centimetres. It lies between min and max height.",
        "TO:0000207",
    ),
    Field(
        FieldNames.NOTES,
        FieldTypes.LONG_TEXT,
        "notes",
        "Whatever else is worth knowing about the plot. Shift-Enter starts a new line.",
        required=False,
        length=100_000,
    ),
    # A new field comes here: see docs/architecture.md.
)

# Programs that read extracts rely on these names and their order: a new field comes at the end.
CSV_HEADER: tuple[str, ...] = tuple(each.name for each in FIELDS)

RECORD_KEY: tuple[str, ...] = (FieldNames.DATE, FieldNames.TIME, FieldNames.LAB, FieldNames.PLOT)
"""What identifies a record."""

READINGS: tuple[str, ...] = (FieldNames.HUMIDITY, FieldNames.LIGHT, FieldNames.TEMPERATURE)
"""The fields that an equipment fault leaves empty."""

GROUPS: tuple[tuple[str, tuple[Field, ...]], ...] = tuple(
    (title, tuple(each for each in FIELDS if each.group == title))
    for title in dict.fromkeys(each.group for each in FIELDS if each.group)
)
"""The groups of the form in their order, each with its fields."""

FOCUS_ORDER: tuple[str, ...] = (
    FieldNames.DATE,
    FieldNames.TIME,
    FieldNames.LAB,
    FieldNames.TECHNICIAN,
    FieldNames.PLOT,
    FieldNames.SEED_SAMPLE,
    *(each.name for _, members in GROUPS for each in members),
    FieldNames.NOTES,
)
"""The order of the paper sheet, in which the focus goes through the form."""

_BY_NAME = {each.name: each for each in FIELDS}

REQUIRED_ORDER: tuple[str, ...] = tuple(name for name in FOCUS_ORDER if _BY_NAME[name].required)
"""The fields that Enter visits, in this order (without the readings after an equipment fault)."""


def field(name: str) -> Field:
    """Return the field of that name; raises `KeyError` if there is none."""
    return _BY_NAME[name]
