"""The statements of one record, made from the table of fields. Values are always bound, never written in."""

from __future__ import annotations

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import FIELDS, RECORD_KEY, Field

_EXPRESSIONS = {
    FieldNames.TIME: "to_char(p.time, 'FMHH24:MI')",
    FieldNames.TECHNICIAN: "t.name",
    FieldNames.SEED_SAMPLE: "p.seed_sample::text",
}
_TECHNICIAN_ID = "(SELECT id FROM lab_techs WHERE name = %(Technician)s)"
_SAME_CHECK = "date = %(Date)s AND time = %(Time)s AND lab_id = %(Lab)s"
_SAME_RECORD = f"{_SAME_CHECK} AND plot = %(Plot)s"

RECORD_COLUMNS = ", ".join(f'{_EXPRESSIONS.get(each.name, "p." + each.column)} AS "{each.name}"' for each in FIELDS)
"""A record as the columns of `plot_checks AS p` and `lab_techs AS t`, named as the CSV header."""

RECORDS = f"SELECT {RECORD_COLUMNS} FROM plot_checks AS p LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id"

IN_ORDER = "ORDER BY p.date, p.time, p.lab_id, p.plot"

GET_RECORD = (
    f"{RECORDS} WHERE p.date = %(Date)s AND p.time = %(Time)s AND p.lab_id = %(Lab)s AND p.plot = %(Plot)s"
)

GET_CHECK = f"""
    SELECT lab_checks.date, lab_checks.time, lab_checks.lab_id, lab_checks.lab_tech_id, lab_techs.name AS lab_tech,
        lab_checks.version
    FROM lab_checks JOIN lab_techs ON lab_techs.id = lab_checks.lab_tech_id
    WHERE {_SAME_CHECK}
"""

GET_RECORDED_PLOTS = """
    SELECT p.plot, t.name FROM plot_checks AS p LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
    WHERE p.date = %(Date)s AND p.time = %(Time)s AND p.lab_id = %(Lab)s ORDER BY p.plot
"""

GET_PREVIOUS = f"""
    SELECT {RECORD_COLUMNS}
    FROM plots
    CROSS JOIN LATERAL (
        SELECT * FROM plot_checks AS earlier
        WHERE earlier.lab_id = plots.lab_id AND earlier.plot = plots.plot
            AND (earlier.date, earlier.time) < (%(Date)s, %(Time)s)
        ORDER BY earlier.date DESC, earlier.time DESC LIMIT 1
    ) AS p
    LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
    WHERE plots.lab_id = %(Lab)s
"""

# The lab comes first: entries of the audit follow each other lab by lab, and who waits for that holds nothing yet.
LOCK_LAB = "SELECT lock_lab(%(Lab)s);"

# Before the check: another technician for that may make a new version of the record, in the same transaction.
REQUIRE_VERSION = f"""
    {LOCK_LAB}
    SELECT require_version(%(Date)s, %(Time)s, %(Lab)s, %(Plot)s, %(expected version)s);
"""

OTHER_VERSION = "AB001"
"""The SQLSTATE of `REQUIRE_VERSION` where another version is there, or none."""

# Another technician than the check's: the check is locked, so that two who begin it at once see each other's plots. It
# becomes theirs only if no other plot of it is recorded.
SAVE_CHECK = f"""
    {LOCK_LAB}

    INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
    VALUES (%(Date)s, %(Time)s, %(Lab)s, {_TECHNICIAN_ID})
    ON CONFLICT (date, time, lab_id) DO NOTHING;

    SELECT FROM lab_checks WHERE {_SAME_CHECK} AND lab_tech_id <> {_TECHNICIAN_ID} FOR NO KEY UPDATE;

    UPDATE lab_checks SET lab_tech_id = {_TECHNICIAN_ID}
    WHERE {_SAME_CHECK} AND lab_tech_id <> {_TECHNICIAN_ID}
        AND NOT EXISTS (SELECT FROM plot_checks WHERE {_SAME_CHECK} AND plot <> %(Plot)s);
"""

LOCK_CHECK = f"""
    {LOCK_LAB}
    SELECT version, (SELECT name FROM lab_techs WHERE id = lab_tech_id) FROM lab_checks
    WHERE {_SAME_CHECK} FOR NO KEY UPDATE
"""

SET_CHECK_TECHNICIAN = f"""
    {LOCK_LAB}
    SELECT FROM lab_checks WHERE {_SAME_CHECK} FOR NO KEY UPDATE;
    UPDATE plot_checks SET lab_tech_id = {_TECHNICIAN_ID} WHERE {_SAME_CHECK};
    INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
    VALUES (%(Date)s, %(Time)s, %(Lab)s, {_TECHNICIAN_ID})
    ON CONFLICT (date, time, lab_id) DO UPDATE SET lab_tech_id = EXCLUDED.lab_tech_id
"""


def _value(each: Field) -> str:
    return _TECHNICIAN_ID if each.name == FieldNames.TECHNICIAN else f"%({each.name})s"


_PLOT_COLUMNS = ", ".join(each.column for each in FIELDS)
_PLOT_VALUES = ", ".join(_value(each) for each in FIELDS)
_CHANGED = [each for each in FIELDS if each.name not in RECORD_KEY]

_INSERT = f"INSERT INTO plot_checks ({_PLOT_COLUMNS}) VALUES ({_PLOT_VALUES})"
_KEEP = "ON CONFLICT (date, time, lab_id, plot) DO"

INSERT_PLOT = f"{SAVE_CHECK} {_INSERT} {_KEEP} NOTHING RETURNING true AS inserted, version"

UPDATE_PLOT = (
    f"{SAVE_CHECK} UPDATE plot_checks SET {', '.join(f'{each.column} = {_value(each)}' for each in _CHANGED)}"
    f" WHERE {_SAME_RECORD} RETURNING false AS inserted, version"
)

# xmax is 0 in a row that was inserted, and the number of this transaction in one that was there.
UPSERT_PLOT = (
    f"{SAVE_CHECK} {_INSERT} {_KEEP} UPDATE"
    f" SET {', '.join(f'{each.column} = EXCLUDED.{each.column}' for each in _CHANGED)}"
    " RETURNING xmax = 0 AS inserted, version"
)

SET_AUTHOR = """
    SELECT set_config('abq.application_user', %(author)s, true), set_config('abq.workstation', %(workstation)s, true),
        set_config('abq.reason', %(reason)s, true), set_config('abq.typed', %(typed)s, true);
"""

NOTE_ENTRY = "INSERT INTO journal_entries (id) VALUES (%(entry)s) ON CONFLICT (id) DO NOTHING"

# The entry of the audit that belongs to this version says who made it; a version from before the audit has none.
GET_VERSIONED = f"""
    SELECT {RECORD_COLUMNS}, p.version, c.version AS check_version, e.moment,
        coalesce(e.application_user, e.database_user, '') AS changed_by
    FROM plot_checks AS p
    LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
    LEFT JOIN lab_checks AS c ON (c.date, c.time, c.lab_id) = (p.date, p.time, p.lab_id)
    LEFT JOIN LATERAL (
        SELECT moment, application_user, database_user FROM audit
        WHERE key = jsonb_build_object('date', p.date, 'time', p.time, 'lab_id', p.lab_id, 'plot', p.plot)
            AND lab_id = p.lab_id AND table_name = 'plot_checks'
        ORDER BY sequence DESC LIMIT 1
    ) AS e ON true
    WHERE p.date = %(Date)s AND p.time = %(Time)s AND p.lab_id = %(Lab)s AND p.plot = %(Plot)s
"""

# What was moved is taken away and put in again by one transaction.
GET_LAST_DELETION = """
    SELECT coalesce(gone.application_user, gone.database_user), coalesce(gone.reason, ''), there.key ->> 'date',
        to_char((there.key ->> 'time')::time, 'FMHH24:MI'), there.key ->> 'lab_id', there.key ->> 'plot'
    FROM (
        SELECT * FROM audit
        WHERE key = jsonb_build_object(
                'date', %(Date)s::date, 'time', %(Time)s::time, 'lab_id', %(Lab)s::char(1), 'plot', %(Plot)s::smallint)
            AND lab_id = %(Lab)s AND table_name = 'plot_checks'
        ORDER BY sequence DESC LIMIT 1
    ) AS gone
    LEFT JOIN LATERAL (
        SELECT key FROM audit
        WHERE moment BETWEEN gone.moment - interval '1 minute' AND gone.moment + interval '1 minute'
            AND transaction = gone.transaction AND table_name = 'plot_checks' AND operation = 'INSERT'
            AND new @> (gone.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
        ORDER BY lab_id = gone.lab_id AND sequence = gone.sequence + 1 DESC LIMIT 1
    ) AS there ON true
    WHERE gone.operation = 'DELETE'
"""

GET_HISTORY = """
    SELECT moment, operation, database_user, coalesce(application_user, ''), coalesce(workstation, ''),
        coalesce(reason, ''), transaction, old, new,
        CASE operation
            -- Its readings at another place, put there by the same transaction right after it: see moved_from.
            WHEN 'DELETE' THEN (
                SELECT there.key FROM audit AS there
                WHERE there.transaction = entry.transaction AND there.table_name = 'plot_checks'
                    AND there.operation = 'INSERT' AND there.key <> entry.key
                    AND there.moment BETWEEN entry.moment - interval '1 minute' AND entry.moment + interval '1 minute'
                    AND (there.lab_id <> entry.lab_id OR there.sequence = entry.sequence + 1)
                    AND there.new @> (entry.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
                ORDER BY there.moment >= entry.moment DESC, abs(extract(epoch FROM there.moment - entry.moment)) LIMIT 1
            )
            WHEN 'INSERT' THEN (
                SELECT there.key FROM audit AS there
                WHERE there.transaction = entry.transaction AND there.table_name = 'plot_checks'
                    AND there.operation = 'DELETE' AND there.key <> entry.key
                    AND there.moment BETWEEN entry.moment - interval '1 minute' AND entry.moment + interval '1 minute'
                    AND (there.lab_id <> entry.lab_id OR there.sequence = entry.sequence - 1)
                    AND entry.new @> (there.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
                ORDER BY there.moment <= entry.moment DESC, abs(extract(epoch FROM there.moment - entry.moment)) LIMIT 1
            )
        END
    FROM audit AS entry
    WHERE key = jsonb_build_object(
            'date', %(Date)s::date, 'time', %(Time)s::time, 'lab_id', %(Lab)s::char(1), 'plot', %(Plot)s::smallint)
        AND lab_id = %(Lab)s AND table_name = 'plot_checks'
    ORDER BY sequence
"""
