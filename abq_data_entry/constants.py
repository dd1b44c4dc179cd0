"""Names that several packages share: field types, names of fields, of settings and of environment variables."""

from __future__ import annotations

from enum import Enum

APPLICATION_NAME = "ABQ Data Entry"
APPLICATION_ID = "abq-data-entry"

CONFIG_FOLDER_VARIABLE = "ABQ_CONFIG_DIR"
DATA_FOLDER_VARIABLE = "ABQ_DATA_DIR"
SETTINGS_FILE = "abq_settings.json"
SCHEMA_VERSION = 8
"""The version of the schema that this program knows, and that `create_db.sql` creates."""

EXTRACT_NAME = "abq_data_record_{date:%Y-%m-%d}.csv"


class FieldTypes(Enum):
    """The type of a field's value, which determines its widget."""

    DATE = "date"
    TIME = "time"
    """One of a fixed list of times of day."""
    LIST = "list"
    """One of the texts or numbers that the database offers at the moment."""
    STRING = "string"
    DECIMAL = "decimal"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    LONG_TEXT = "long text"


class FieldNames:
    """The 17 field names, as in the CSV header and in `data_record_view`."""

    DATE = "Date"
    TIME = "Time"
    TECHNICIAN = "Technician"
    LAB = "Lab"
    PLOT = "Plot"
    SEED_SAMPLE = "Seed sample"
    HUMIDITY = "Humidity"
    LIGHT = "Light"
    TEMPERATURE = "Temperature"
    EQUIPMENT_FAULT = "Equipment Fault"
    PLANTS = "Plants"
    BLOSSOMS = "Blossoms"
    FRUIT = "Fruit"
    MIN_HEIGHT = "Min Height"
    MAX_HEIGHT = "Max Height"
    MEDIAN_HEIGHT = "Median Height"
    NOTES = "Notes"


CHECK_TIMES = ("8:00", "12:00", "16:00", "20:00")

REQUIRED_AUTHENTICATION = "!password,!md5"
"""The value of libpq's `require_auth` (from 16 on): no password is sent in clear text or as MD5."""

REQUIRE_AUTH_SINCE = 160000
"""The first version of libpq that has `require_auth`."""
