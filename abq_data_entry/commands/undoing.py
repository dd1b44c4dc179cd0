"""`db withdraw`, `db bring-back`, `db move-record`, `db move-check`, `db take-back`, `db correct`, `db withdrawn`."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from . import add_task
from .days import day
from .outcome import NotDone
from .passwords import Secrets

if TYPE_CHECKING:
    from ..models.undoing import Place
    from . import Subcommands

_SHOWN_AT_MOST = 20


def add_to(tasks: Subcommands) -> None:
    """Add the subcommands to those of `db`."""
    withdraw = add_task(
        tasks, "withdraw", withdraw_record, "take a record out of all lists and extracts, with a reason"
    )
    _add_record(withdraw)
    _add_reason(withdraw)
    back = add_task(tasks, "bring-back", bring_back, "bring a withdrawn record back, with a reason")
    _add_record(back)
    _add_reason(back)
    back.add_argument("--entry", type=int, metavar="N", help="its number in `db withdrawn` (default: the last one)")
    gone = add_task(tasks, "withdrawn", list_withdrawn, "list the records that were withdrawn")
    gone.add_argument("--from", dest="first", type=day, metavar="D", help="first day of the records (default: all)")
    gone.add_argument("--to", dest="last", type=day, metavar="D", help="last day of the records")
    gone.add_argument("--lab", metavar="L", help="of that lab only")
    move = add_task(tasks, "move-record", move_record, "give a record another date, time, lab or plot, with a reason")
    _add_record(move)
    _add_new_place(move)
    move.add_argument("--to-plot", type=int, metavar="PLOT")
    _add_reason(move)
    check = add_task(tasks, "move-check", move_check, "give a whole check another date, time or lab, with a reason")
    _add_check(check)
    _add_new_place(check)
    _add_reason(check)
    taken = add_task(tasks, "take-back", take_back, "take the last change of records back: all of them, or none")
    _add_check(taken)
    taken.add_argument("plots", type=plots, metavar="PLOTS", help="such as 3, or 3,5-8")
    taken.add_argument("--reason", default="taken back", metavar="TEXT", help="default: %(default)s")
    correct = add_task(tasks, "correct", correct_many, "give many records another technician, seed sample or date")
    correct.add_argument("date", type=day, metavar="DATE", help="day of the records, such as 2026-11-21")
    correct.add_argument("--time", metavar="T", help="only those of that time, such as 8:00")
    correct.add_argument("--lab", metavar="L", help="only those of that lab")
    correct.add_argument("--plots", type=plots, metavar="PLOTS", help="only those plots, such as 3,5-8")
    correct.add_argument("--of", metavar="NAME", help="only those of that technician")
    correct.add_argument("--technician", metavar="NAME", help="who recorded them")
    correct.add_argument("--seed-sample", metavar="SEED", help="what grew there")
    correct.add_argument("--to-date", type=day, metavar="D", help="when they were recorded")
    correct.add_argument("--preview", action="store_true", help="only show which records would be changed")
    _add_reason(correct)


def plots(text: str) -> list[int]:
    """Return the plots from `3` or `3,5-8`. Raises ArgumentTypeError for anything else."""
    found: set[int] = set()
    for part in text.split(","):
        matched = re.fullmatch(r"\s*(\d{1,2})(?:-(\d{1,2}))?\s*", part)
        if matched is None or int(matched[2] or matched[1]) < int(matched[1]):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of plots such as 3,5-8")
        found.update(range(int(matched[1]), int(matched[2] or matched[1]) + 1))
    return sorted(found)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("date", type=day, metavar="DATE", help="such as 2026-11-21")
    parser.add_argument("time", metavar="TIME", help="such as 8:00")
    parser.add_argument("lab", metavar="LAB")


def _add_record(parser: argparse.ArgumentParser) -> None:
    _add_check(parser)
    parser.add_argument("plot", type=int, metavar="PLOT")


def _add_new_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to-date", type=day, metavar="DATE")
    parser.add_argument("--to-time", metavar="TIME")
    parser.add_argument("--to-lab", metavar="LAB")


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it is written to the audit")


def withdraw_record(options: argparse.Namespace, secrets: Secrets) -> None:
    """Withdraw a record."""
    from .database import opened_model, read_settings

    key = (options.date, options.time, options.lab, options.plot)
    with opened_model(read_settings(), secrets) as model:
        model.withdraw_record(key, options.reason)
    print(f"The record of {_named(*key)} is withdrawn. `db bring-back` brings it back.")


def bring_back(options: argparse.Namespace, secrets: Secrets) -> None:
    """Bring a withdrawn record back."""
    from .database import opened_model, read_settings

    key = (options.date, options.time, options.lab, options.plot)
    with opened_model(read_settings(), secrets) as model:
        model.bring_back_record(key, options.reason, entry=options.entry)
    print(f"The record of {_named(*key)} is back.")


def list_withdrawn(options: argparse.Namespace, secrets: Secrets) -> None:
    """List withdrawn records, the latest withdrawal first."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        found = model.get_withdrawn(options.first, options.last, options.lab, limit=10_000)
    for each in found:
        names = ("Date", "Time", "Lab", "Plot")
        where = _named(*(each.record[name] for name in names))
        print(f"{each.entry}  {where}  {each.moment.astimezone():%Y-%m-%d %H:%M} by {each.who}: {each.reason or '-'}")
    if not found:
        print("No record is withdrawn.")


def move_record(options: argparse.Namespace, secrets: Secrets) -> None:
    """Move a record."""
    from .database import opened_model, read_settings

    key = (options.date, options.time, options.lab, options.plot)
    to = (*_new_check(options), options.to_plot or options.plot)
    with opened_model(read_settings(), secrets) as model:
        model.move_record(key, to, options.reason)
    print(f"The record of {_named(*key)} is that of {_named(*to)} now.")


def move_check(options: argparse.Namespace, secrets: Secrets) -> None:
    """Move all records of a check."""
    from .database import opened_model, read_settings

    check, to = (options.date, options.time, options.lab), _new_check(options)
    with opened_model(read_settings(), secrets) as model:
        moved = model.move_check(check, to, options.reason)
    was, became = (f"{date} {time}, lab {lab}" for date, time, lab in (check, to))
    print(f"The check of {was} is that of {became} now; its records: {moved}.")


def take_back(options: argparse.Namespace, secrets: Secrets) -> None:
    """Take back the last change of each record."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        chosen = model.choose_records(options.date, options.time, options.lab, options.plots)
        missing = sorted(set(options.plots) - {int(str(record["Plot"])) for record, _ in chosen})
        if missing:
            raise NotDone(f"There is no record of plot {', '.join(map(str, missing))}. Nothing was changed.")
        model.take_back_records([place for _, place in chosen], reason=options.reason)
    print(f"The last change of {len(chosen)} records is taken back.")


def correct_many(options: argparse.Namespace, secrets: Secrets) -> None:
    """Correct many records at once, or with --preview only print them. Raises NotDone if none or no change is given."""
    from .database import opened_model, read_settings

    changes = {"Technician": options.technician, "Seed sample": options.seed_sample, "Date": options.to_date}
    wanted = {name: value for name, value in changes.items() if value}
    if not wanted:
        raise NotDone("Say what to change: --technician, --seed-sample or --to-date. Nothing was changed.")
    with opened_model(read_settings(), secrets) as model:
        chosen = model.choose_records(options.date, options.time, options.lab, options.plots, options.of)
        if not chosen:
            raise NotDone("There are no such records. Nothing was changed.")
        _show(chosen, wanted)
        if options.preview:
            return
        model.correct_records([place for _, place in chosen], wanted, options.reason)
    print(f"{len(chosen)} records are corrected. `db take-back` undoes that.")


def _show(chosen: list[tuple[dict[str, object], Place]], wanted: dict[str, object]) -> None:
    for record, _ in chosen[:_SHOWN_AT_MOST]:
        changes = ", ".join(f"{name} {record[name]} -> {value}" for name, value in wanted.items())
        print(f"{_named(*(record[name] for name in ('Date', 'Time', 'Lab', 'Plot')))}: {changes}")
    if len(chosen) > _SHOWN_AT_MOST:
        print(f"... and {len(chosen) - _SHOWN_AT_MOST} more")


def _new_check(options: argparse.Namespace) -> tuple[object, object, object]:
    return options.to_date or options.date, options.to_time or options.time, options.to_lab or options.lab


def _named(date: object, time: object, lab: object, plot: object) -> str:
    return f"{date} {time}, lab {lab}, plot {plot}"
