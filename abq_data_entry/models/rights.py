"""What a login may do in the database, as the server says."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.records import Rights

_READ = """
    SELECT has_table_privilege('plot_checks', 'INSERT') AND has_column_privilege('plot_checks', 'plants', 'UPDATE')
            AND has_table_privilege('lab_checks', 'INSERT'),
        has_function_privilege('record_deliveries(jsonb)', 'EXECUTE'),
        has_table_privilege('local_weather', 'INSERT'),
        has_table_privilege('lab_techs', 'INSERT') AND has_table_privilege('plots', 'UPDATE')
            AND has_table_privilege('labs', 'INSERT'),
        all_of_it AND (rolsuper OR rolcreatedb),
        all_of_it AND (rolsuper OR (rolcreatedb AND pg_has_role(datdba, 'USAGE'))),
        coalesce(cardinality(seen_labs(current_user)) > 0, true)
    FROM pg_roles, pg_database,
        (SELECT pg_has_role(relowner, 'USAGE') AS all_of_it FROM pg_class WHERE oid = 'plot_checks'::regclass) AS tables
    WHERE rolname = current_user AND datname = current_database()
"""
# A backup is verified in a scratch database, and a restore puts a new database in the place of this one. Where labs
# are kept apart, `seen_labs` holds those of the login, else it is NULL.


def read_rights(cursor: Cursor) -> Rights:
    """Return the rights of the present user on the tables (PostgreSQL manual, Access Privilege Inquiry Functions)."""
    cursor.execute(_READ)
    return Rights(*cursor.fetchall()[0])
