"""Technicians, labs, plots and seed samples: read, add, rename, retire and remove them.

Adding, renaming and retiring are idempotent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg2.errors import ForeignKeyViolation
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import field, parse
from abq_data_entry.models.errors import DatabaseError
from abq_data_entry.models.records import Choices

_SMALLINT = 32767


def read_choices(cursor: Cursor) -> Choices:
    """Return the technicians (sorted by name), the labs, their plots, and the seed samples that grow there."""
    cursor.execute("SELECT name, retired IS NOT NULL FROM lab_techs")
    people = sorted(cursor.fetchall(), key=lambda row: (row[0].casefold(), row[0]))
    cursor.execute(
        "SELECT labs.id, labs.retired IS NOT NULL, plots.plot, plots.retired IS NOT NULL,"
        " plots.current_seed_sample::text"
        " FROM labs LEFT JOIN plots ON plots.lab_id = labs.id ORDER BY labs.id, plots.plot"
    )
    labs: dict[bool, dict[str, tuple[int, ...]]] = {False: {}, True: {}}
    retired_plots: dict[str, tuple[int, ...]] = {}
    seeds: dict[tuple[str, int], str] = {}
    for lab, lab_retired, plot, plot_retired, seed in cursor.fetchall():
        known = labs[lab_retired]
        known.setdefault(lab, ())
        if plot is None:
            continue
        if lab_retired or plot_retired:
            retired_plots[lab] = (*retired_plots.get(lab, ()), plot)
        else:
            known[lab] = (*known[lab], plot)
        if seed:
            seeds[lab, plot] = seed
    return Choices(
        tuple(name for name, retired in people if not retired),
        tuple(labs[False]),
        labs[False],
        seeds,
        tuple(name for name, retired in people if retired),
        tuple(labs[True]),
        retired_plots,
    )


def find_unknown(cursor: Cursor, values: Mapping[str, object]) -> dict[str, str]:
    """Return, by field name, a sentence for each of technician, lab and plot that isn't in the database."""
    known = read_choices(cursor)
    technician, lab, plot = (
        values.get(name) for name in (FieldNames.TECHNICIAN, FieldNames.LAB, FieldNames.PLOT)
    )
    errors: dict[str, str] = {}
    if technician not in known.all_technicians:
        errors[FieldNames.TECHNICIAN] = f"Technician {technician} is not known. An administrator can add the name."
    if lab not in known.all_labs:
        errors[FieldNames.LAB] = f"Lab {lab} is not known. An administrator can add it."
    elif plot is not None and plot not in known.all_plots[str(lab)]:
        errors[FieldNames.PLOT] = f"Lab {lab} has no plot {plot}. An administrator can add it."
    return errors


def add_technician(cursor: Cursor, technician_id: int, name: str) -> bool:
    """Add a technician; False if there is one with that id and name already.

    Raises `DatabaseError` if the id is taken, if the name differs from another one only by case or spaces, and if lists
    would read the name as something else: digits only, or `any`.
    """
    name = " ".join(name.split())
    if not -_SMALLINT <= technician_id <= _SMALLINT:
        raise DatabaseError(f"The number of a technician must be at most {_SMALLINT}.")
    cursor.execute("SELECT name FROM lab_techs WHERE id = %s", (technician_id,))
    found = cursor.fetchall()
    if found == [(name,)]:
        return False
    if found:
        raise DatabaseError(
            f"Technician {name} can't be added as {technician_id}: {found[0][0]} is {technician_id} already."
        )
    _refuse_name(cursor, technician_id, name)
    cursor.execute(
        "INSERT INTO lab_techs (id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", (technician_id, name)
    )
    return cursor.rowcount == 1


def rename_technician(cursor: Cursor, technician_id: int, name: str) -> str:
    """Rename a technician, also in old records; return the old name.

    Raises `DatabaseError` for an unknown id, and for a name that `add_technician` wouldn't accept.
    """
    name = " ".join(name.split())
    before = _name_of(cursor, technician_id)
    if name != before:
        _refuse_name(cursor, technician_id, name)
        cursor.execute("UPDATE lab_techs SET name = %s WHERE id = %s", (name, technician_id))
    return before


def retire_technician(cursor: Cursor, technician_id: int, retired: bool = True) -> str:
    """Stop offering a technician for new records, or offer them again; return the name.

    Raises `DatabaseError` for an unknown id.
    """
    name = _name_of(cursor, technician_id)
    _retire(cursor, "lab_techs", "id = %s", (technician_id,), retired)
    return name


def remove_technician(cursor: Cursor, technician_id: int) -> str:
    """Remove a technician who has never recorded anything; return the name. Otherwise raises `DatabaseError`."""
    name = _name_of(cursor, technician_id)
    used = DatabaseError(f"{name} has recorded something, which stays with that name. Retire the name instead.")
    _remove(cursor, "DELETE FROM lab_techs WHERE id = %s", (technician_id,), used)
    cursor.execute(
        "SELECT FROM audit WHERE table_name IN ('plot_checks', 'lab_checks')"
        " AND (old ->> 'lab_tech_id' = %s OR new ->> 'lab_tech_id' = %s) LIMIT 1",
        (str(technician_id), str(technician_id)),
    )
    if cursor.rowcount:
        raise used
    return name


def _refuse_name(cursor: Cursor, technician_id: int, name: str) -> None:
    if not name.isprintable() or not 0 < len(name) <= 512:
        raise DatabaseError("The name of a technician must have 1 to 512 printable characters.")
    if name.replace(" ", "").isdecimal():
        raise DatabaseError(f"A technician can't be called {name}: a number isn't a name.")
    if name.casefold() == "any":
        raise DatabaseError(f"A technician can't be called {name}: lists use that for all technicians.")
    cursor.execute("SELECT id, name FROM lab_techs WHERE id <> %s", (technician_id,))
    for number, other in cursor.fetchall():
        if _compared(other) == _compared(name):
            differs = "" if other == name else ", and differs only by capitals or spaces"
            raise DatabaseError(f"The name {name} is taken: {other} is {number} already{differs}.")


def _compared(name: str) -> str:
    return "".join(name.split()).casefold()


def _name_of(cursor: Cursor, technician_id: int) -> str:
    cursor.execute("SELECT name FROM lab_techs WHERE id = %s FOR NO KEY UPDATE", (technician_id,))
    found = cursor.fetchall()
    if not found:
        raise DatabaseError(f"There is no technician {technician_id}.")
    return str(found[0][0])


def _retire(cursor: Cursor, table: str, which: str, key: tuple[object, ...], retired: bool) -> None:
    change = "retired = now()" if retired else "retired = NULL"
    cursor.execute(f"UPDATE {table} SET {change} WHERE {which} AND (retired IS NULL) = %s", (*key, retired))


def _remove(cursor: Cursor, statement: str, key: tuple[object, ...], used: DatabaseError) -> None:
    try:
        cursor.execute(statement, key)
    except ForeignKeyViolation as error:
        raise used from error


def add_lab(cursor: Cursor, lab: str, plots: int) -> bool:
    """Add a lab with plots 1 to `plots`; False if all of it exists already.

    Raises `DatabaseError` if `lab` isn't a letter, or differs from another lab only by case, or `plots` isn't 1 to 20.
    """
    if len(lab) != 1 or not lab.isalpha():
        raise DatabaseError("A lab must be one letter, such as F.")
    if not 1 <= plots <= 20:
        raise DatabaseError("A lab must have 1 to 20 plots.")
    cursor.execute("SELECT id FROM labs")
    known = [each for (each,) in cursor.fetchall()]
    other = next((each for each in known if each.casefold() == lab.casefold()), None)
    added = 0
    if lab not in known:
        if other is not None:
            raise DatabaseError(f"Lab {lab} can't be added: there is a lab {other} already.")
        cursor.execute("INSERT INTO labs (id) VALUES (%s) ON CONFLICT DO NOTHING", (lab,))
        added = cursor.rowcount
    cursor.execute(
        "INSERT INTO plots (lab_id, plot) SELECT %s, generate_series(1, %s) ON CONFLICT DO NOTHING", (lab, plots)
    )
    return added + cursor.rowcount > 0


def retire_lab(cursor: Cursor, lab: str, retired: bool = True) -> None:
    """Stop offering a lab for new records, or offer it again. Raises `DatabaseError` for an unknown one."""
    _require_lab(cursor, lab)
    _retire(cursor, "labs", "id = %s", (lab,), retired)


def remove_lab(cursor: Cursor, lab: str) -> None:
    """Remove a lab and its plots, if nothing was ever recorded there; otherwise raises `DatabaseError`."""
    _require_lab(cursor, lab)
    used = DatabaseError(f"Something was recorded in lab {lab}, which stays. Retire the lab instead.")
    _remove(cursor, "DELETE FROM plots WHERE lab_id = %s", (lab,), used)
    _remove(cursor, "DELETE FROM labs WHERE id = %s", (lab,), used)
    cursor.execute(
        "SELECT FROM audit WHERE lab_id = %s AND table_name IN ('plot_checks', 'lab_checks') LIMIT 1", (lab,)
    )
    if cursor.rowcount:
        raise used


def _require_lab(cursor: Cursor, lab: str) -> None:
    cursor.execute("SELECT FROM labs WHERE id = %s", (lab,))
    if cursor.rowcount == 0:
        raise DatabaseError(f"There is no lab {lab}.")


def retire_plot(cursor: Cursor, lab: str, plot: int, retired: bool = True) -> None:
    """Stop offering a plot for new records, or offer it again.

    Raises `DatabaseError` for an unknown plot, and for the last one of a lab.
    """
    _require_plot(cursor, lab, plot)
    if retired:
        _require_other_plot(cursor, lab, plot, "retire")
    _retire(cursor, "plots", "lab_id = %s AND plot = %s", (lab, plot), retired)


def remove_plot(cursor: Cursor, lab: str, plot: int) -> None:
    """Remove a plot. Raises `DatabaseError` if anything was recorded there, and for the last plot of a lab."""
    _require_plot(cursor, lab, plot)
    _require_other_plot(cursor, lab, plot, "remove")
    used = DatabaseError(f"Something was recorded for plot {plot} of lab {lab}, which stays. Retire the plot instead.")
    _remove(cursor, "DELETE FROM plots WHERE lab_id = %s AND plot = %s", (lab, plot), used)
    cursor.execute(
        "SELECT FROM audit WHERE lab_id = %s AND table_name = 'plot_checks' AND key ->> 'plot' = %s LIMIT 1",
        (lab, str(plot)),
    )
    if cursor.rowcount:
        raise used


def _require_plot(cursor: Cursor, lab: str, plot: int) -> None:
    cursor.execute("SELECT FROM plots WHERE lab_id = %s AND plot = %s", (lab, plot))
    if cursor.rowcount == 0:
        raise DatabaseError(f"Lab {lab} has no plot {plot}.")


def _require_other_plot(cursor: Cursor, lab: str, plot: int, action: str) -> None:
    # Locked, so that two people don't remove the last two plots at the same time.
    cursor.execute("SELECT FROM labs WHERE id = %s FOR UPDATE", (lab,))
    cursor.execute("SELECT FROM plots WHERE lab_id = %s AND plot <> %s AND retired IS NULL LIMIT 1", (lab, plot))
    if cursor.rowcount == 0:
        raise DatabaseError(f"Plot {plot} is the last one of lab {lab}. A lab needs a plot: {action} the lab.")


def add_plot(cursor: Cursor, lab: str, plot: int, seed_sample: str | None = None) -> bool:
    """Add a plot with its seed sample to a lab; False if it exists. Raises `DatabaseError` for an unknown lab."""
    if not 1 <= plot <= 20:
        raise DatabaseError("The number of a plot must be from 1 to 20.")
    seed = _checked_seed_sample(seed_sample)
    cursor.execute("SELECT FROM labs WHERE id = %s", (lab,))
    if cursor.rowcount == 0:
        raise DatabaseError(f"Lab {lab} is not known. Add the lab first.")
    cursor.execute(
        "INSERT INTO plots (lab_id, plot, current_seed_sample) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (lab, plot, seed),
    )
    return cursor.rowcount == 1


def set_seed_sample(cursor: Cursor, lab: str, plot: int, seed_sample: str | None) -> None:
    """Set the seed sample that grows in a plot. Raises `DatabaseError` for an unknown plot or an invalid sample."""
    seed = _checked_seed_sample(seed_sample)
    cursor.execute("UPDATE plots SET current_seed_sample = %s WHERE lab_id = %s AND plot = %s", (seed, lab, plot))
    if cursor.rowcount == 0:
        raise DatabaseError(f"Lab {lab} has no plot {plot}. Add the plot first.")


def import_lists(
    cursor: Cursor, technicians: Sequence[tuple[int | None, str]], seeds: Sequence[tuple[str, int, str | None]]
) -> int:
    """Add technicians and set seed samples; return how many were new.

    `technicians`: pairs of id (None: the next free one) and name; `seeds`: lab, plot and seed sample (None: none).
    Raises `DatabaseError` for the first one that can't be added; the caller's transaction then rolls back the rest.
    """
    changed = 0
    for number, name in technicians:
        cursor.execute("SELECT max(id) FILTER (WHERE name = %s), max(id) FROM lab_techs", (" ".join(name.split()),))
        ((known, highest),) = cursor.fetchall()
        if known is None or number not in (None, known):
            changed += add_technician(cursor, max(highest or 0, 0) + 1 if number is None else number, name)
    for lab, plot, seed in seeds:
        cursor.execute("SELECT current_seed_sample::text FROM plots WHERE lab_id = %s AND plot = %s", (lab, plot))
        if cursor.fetchall() != [(seed,)]:
            set_seed_sample(cursor, lab, plot, seed)
            changed += 1
    return changed


def time_zone(cursor: Cursor) -> str:
    """Return the time zone of the labs, such as `America/Denver`."""
    cursor.execute("SELECT time_zone FROM lab_settings")
    ((name,),) = cursor.fetchall()
    return str(name)


def set_time_zone(cursor: Cursor, name: str) -> str:
    """Set the time zone of the labs; return the previous one. Raises `DatabaseError` for an unknown one."""
    before = time_zone(cursor)
    cursor.execute("SELECT name FROM pg_timezone_names WHERE lower(name) = lower(%s) ORDER BY name <> %s", (name, name))
    found = cursor.fetchall()
    if not found:
        raise DatabaseError(f"The server knows no time zone {name}. It is a place such as America/Denver.")
    cursor.execute("UPDATE lab_settings SET time_zone = %s WHERE time_zone <> %s", (found[0][0], found[0][0]))
    return before


def _checked_seed_sample(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return str(parse(field(FieldNames.SEED_SAMPLE), text))
    except ValueError as error:
        raise DatabaseError(str(error)) from None
