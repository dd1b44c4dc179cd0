"""Technicians, labs, plots and seed samples: reading them, and adding what is new. Everything can be repeated."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import field, parse
from abq_data_entry.models.errors import DatabaseError
from abq_data_entry.models.records import Choices

_SMALLINT = 32767


def read_choices(cursor: Cursor) -> Choices:
    """Return technicians by name, labs and their plots by number, and the seed samples that grow there."""
    cursor.execute("SELECT name FROM lab_techs")
    technicians = sorted((name for (name,) in cursor.fetchall()), key=lambda name: (name.casefold(), name))
    cursor.execute(
        "SELECT labs.id, plots.plot, plots.current_seed_sample::text"
        " FROM labs LEFT JOIN plots ON plots.lab_id = labs.id ORDER BY labs.id, plots.plot"
    )
    plots: dict[str, tuple[int, ...]] = {}
    seeds: dict[tuple[str, int], str] = {}
    for lab, plot, seed in cursor.fetchall():
        plots[lab] = plots.get(lab, ()) + (() if plot is None else (plot,))
        if seed:
            seeds[lab, plot] = seed
    return Choices(tuple(technicians), tuple(plots), plots, seeds)


def find_unknown(cursor: Cursor, values: Mapping[str, object]) -> dict[str, str]:
    """Return a sentence for the technician, the lab or the plot of a record that the database doesn't know."""
    known = read_choices(cursor)
    technician, lab, plot = (
        values.get(name) for name in (FieldNames.TECHNICIAN, FieldNames.LAB, FieldNames.PLOT)
    )
    errors: dict[str, str] = {}
    if technician not in known.technicians:
        errors[FieldNames.TECHNICIAN] = f"Technician {technician} is not known. An administrator can add the name."
    if lab not in known.labs:
        errors[FieldNames.LAB] = f"Lab {lab} is not known. An administrator can add it."
    elif plot is not None and plot not in known.plots[str(lab)]:
        errors[FieldNames.PLOT] = f"Lab {lab} has no plot {plot}. An administrator can add it."
    return errors


def add_technician(cursor: Cursor, technician_id: int, name: str) -> bool:
    """Add a technician; False if exactly that one is there. Raises `DatabaseError` for a taken id or name."""
    name = " ".join(name.split())
    if not name.isprintable() or not 0 < len(name) <= 512:
        raise DatabaseError("The name of a technician must have 1 to 512 printable characters.")
    if not -_SMALLINT <= technician_id <= _SMALLINT:
        raise DatabaseError(f"The number of a technician must be at most {_SMALLINT}.")
    cursor.execute(
        "INSERT INTO lab_techs (id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", (technician_id, name)
    )
    if cursor.rowcount == 1:
        return True
    cursor.execute("SELECT id, name FROM lab_techs WHERE id = %s OR name = %s", (technician_id, name))
    found = cursor.fetchall()
    if (technician_id, name) in found:
        return False
    taken = " and ".join(f"{other} is {number}" for number, other in found)
    raise DatabaseError(f"Technician {name} can't be added as {technician_id}: {taken} already.")


def add_lab(cursor: Cursor, lab: str, plots: int = 20) -> bool:
    """Add a lab with its plots; False if all is there. Raises `DatabaseError` for an impossible letter or number."""
    if len(lab) != 1 or not lab.isprintable() or lab.isspace():
        raise DatabaseError("A lab must be one letter, such as F.")
    if not 0 <= plots <= 20:
        raise DatabaseError("A lab can have at most 20 plots.")
    cursor.execute("INSERT INTO labs (id) VALUES (%s) ON CONFLICT DO NOTHING", (lab,))
    added = cursor.rowcount
    cursor.execute(
        "INSERT INTO plots (lab_id, plot) SELECT %s, generate_series(1, %s) ON CONFLICT DO NOTHING", (lab, plots)
    )
    return added + cursor.rowcount > 0


def add_plot(cursor: Cursor, lab: str, plot: int, seed_sample: str | None = None) -> bool:
    """Add a plot, and what grows in it, to a lab; False if it is there. Raises `DatabaseError` for an unknown lab."""
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
    """Say which seed sample grows in a plot. Raises `DatabaseError` for an unknown plot or an impossible sample."""
    seed = _checked_seed_sample(seed_sample)
    cursor.execute("UPDATE plots SET current_seed_sample = %s WHERE lab_id = %s AND plot = %s", (seed, lab, plot))
    if cursor.rowcount == 0:
        raise DatabaseError(f"Lab {lab} has no plot {plot}. Add the plot first.")


def _checked_seed_sample(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return str(parse(field(FieldNames.SEED_SAMPLE), text))
    except ValueError as error:
        raise DatabaseError(str(error)) from None
