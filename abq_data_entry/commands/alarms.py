"""`alarms`: what needs attention, who is notified, and which checks are expected."""

from __future__ import annotations

import argparse
import datetime
import json
import re
from typing import TYPE_CHECKING

from .. import schedules
from . import add_task, schedule
from .outcome import NotDone, cancel_on_interrupt, print_table
from .passwords import Secrets, login_kept_as

if TYPE_CHECKING:
    from ..models.alarms import Alarm
    from . import Subcommands

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TIMES = ("8:00", "12:00", "16:00", "20:00")
_EVERY_DAY = "daily"
_MOST_DAYS = 90  # how long the database keeps alarms that have ended


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "alarms",
        help="list what needs attention; look for it, and tell people by mail or webhook",
        description="List the alarms that are open, the newest first.",
        epilog="Exit code of the list: 0: there is none; 1: there are some.",
        allow_abbrev=False,
    )
    _add_choice(parser)
    parser.set_defaults(run=print_list)
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task")
    listing = add_task(tasks, "list", print_list, "list the alarms that are open")
    _add_choice(listing, argparse.SUPPRESS, argparse.SUPPRESS)
    running = add_task(tasks, "run", run, "look for alarms once, and tell the receivers; asks for nothing")
    text = "verify the audit too, as `db verify` does (default: once a day)"
    running.add_argument("--verify", dest="audit", action=argparse.BooleanOptionalAction, help=text)
    ending = add_task(tasks, "end", end, "end an alarm: nobody is reminded of it any more")
    ending.add_argument("id", type=int, metavar="ID", help="its number in the list")
    ending.add_argument("--words", default="", metavar="TEXT", help="what was done about it")
    testing = add_task(tasks, "test", test, "send a test to a receiver, or to all of them")
    testing.add_argument("name", nargs="?", metavar="NAME", help="the receiver (default: all)")
    _add_calendar(tasks)
    _add_receivers(tasks)
    schedule.add_to(
        tasks,
        schedules.ALARMS,
        "have `alarms run` done every five minutes by systemd, cron or the Windows Task Scheduler",
        "Make what runs `alarms run` every five minutes, whether a window is open or not",
    )


def _add_choice(parser: argparse.ArgumentParser, is_json: object = False, days: object = 0) -> None:
    """Add the options of the list; `list` has other defaults, so that options before its name remain."""
    parser.add_argument("--json", action="store_true", default=is_json, help="print a JSON list, for programs")
    text = f"list also those that ended within the last N days, at most {_MOST_DAYS}"
    parser.add_argument("--ended", type=_days, default=days, metavar="N", help=text)


def _days(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 3 and int(text) <= _MOST_DAYS):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of days from 0 to {_MOST_DAYS}")
    return int(text)


def _add_calendar(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "list which checks are expected; set and remove them"
    calendar = add_task(tasks, "calendar", print_calendar, text)
    calendar.set_defaults(json=False)
    inner = calendar.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="part")
    listing = add_task(inner, "list", print_calendar, "list which checks are expected")
    listing.add_argument("--json", action="store_true", help="print a JSON list, for programs")
    setting = add_task(inner, "set", set_calendar, "expect these checks of a lab on these days, and no others")
    setting.add_argument("lab", metavar="LAB", help="such as A")
    setting.add_argument("days", type=weekdays, metavar="DAYS", help="such as mon-fri, sat,sun or daily")
    setting.add_argument("times", nargs="+", choices=TIMES, metavar="TIME", help=f"of {', '.join(TIMES)}")
    removing = add_task(inner, "remove", remove_calendar, "expect no checks of a lab, on some days or at all")
    removing.add_argument("lab", metavar="LAB", help="such as A")
    removing.add_argument("days", nargs="?", type=weekdays, default=tuple(range(1, 8)), metavar="DAYS",
                          help="such as sat,sun (default: daily)")  # fmt: skip


def _add_receivers(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    receivers = add_task(tasks, "receivers", print_receivers, "list who is told of alarms; add and remove receivers")
    receivers.set_defaults(json=False)
    inner = receivers.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="part")
    listing = add_task(inner, "list", print_receivers, "list who is told of alarms")
    listing.add_argument("--json", action="store_true", help="print a JSON list, for programs")
    adding = add_task(inner, "add", add_receiver, "add a receiver, who is told of alarms from now on")
    adding.add_argument("name", metavar="NAME", help="name of the receiver")
    adding.add_argument("kind", choices=("mail", "webhook"), metavar="KIND", help="mail or webhook")
    adding.add_argument("address", metavar="ADDRESS", help="mail addresses, comma-separated; or an https:// address")
    text = "mail: smtp://HOST:PORT or smtps://HOST, or a destination of the kind email (default: that of the settings)"
    adding.add_argument("--server", default="", metavar="SERVER", help=text)
    adding.add_argument("--username", default="", metavar="U", help="mail: user name for the login there")
    adding.add_argument(
        "--secret", dest="login_method", choices=("token", "signature"), default="",
        help="webhook: a stored secret is sent as a bearer token, or signs the message (HMAC-SHA-256)",
    )  # fmt: skip
    removing = add_task(inner, "remove", remove_receiver, "remove a receiver")
    removing.add_argument("name", metavar="NAME", help="the receiver")


# -- the alarms


def print_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the alarms. Raises NotDone if one is open."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        found = model.get_alarms(ended_days=options.ended)
    if options.json:
        print(json.dumps([_content(each) for each in found], indent=2, ensure_ascii=False))
    else:
        for each in found:
            print(_line(each))
        if not found:
            print("There is no alarm.")
    count = sum(each.ended is None for each in found)
    if count:
        raise NotDone("One alarm is open." if count == 1 else f"{count} alarms are open.")


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Look for alarms once, and notify the receivers. Raises NotDone with what couldn't be sent."""
    from ..models.undoing import NOBODY_NAMED
    from ..workflows.alarms import look, verified
    from .database import opened_model, read_settings

    settings = read_settings()
    with opened_model(settings, secrets, reports_waiting=False, asks=False) as model, cancel_on_interrupt() as cancel:
        found = verified(model, settings.values(), options.audit)
        done = look(model, settings.values(), _known, NOBODY_NAMED, cancel, found)
    for sentence in done.sent:
        print(sentence)
    if not done.sent:
        changed = f"{done.changed} began or ended" if done.changed else "None began or ended"
        print(f"{changed}; nobody had to be told.")
    if done.problems:
        raise NotDone(" ".join(done.problems))


def end(options: argparse.Namespace, secrets: Secrets) -> None:
    """End an alarm."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        model.end_alarm(options.id, options.words)
    print(f"Alarm {options.id} has ended.")


def test(options: argparse.Namespace, secrets: Secrets) -> None:
    """Send a test message to the receivers. Raises NotDone if one can't be reached."""
    from ..models.alarms import receiver_named
    from ..network.failures import describe_failure
    from ..stored_destination import STORED
    from ..workflows.alarm_notices import CannotSend, message_sender, test_message
    from .database import opened_model, read_settings

    settings = read_settings()
    with opened_model(settings, secrets) as model:
        receivers = model.get_receivers()
        values = {**settings.values(), STORED: model.get_destinations()}
    chosen = [receiver_named(receivers, options.name)] if options.name else list(receivers.values())
    if not chosen:
        raise NotDone("Nobody is told of alarms: add somebody with `alarms receivers add`.")
    failed = list[str]()
    with cancel_on_interrupt() as cancel:
        for row in chosen:
            try:
                with message_sender(row, values, _known) as send:
                    response = send(test_message(row.name, datetime.datetime.now()), lambda: None, cancel)
            except CannotSend as error:
                failed.append(f"{row.name}: {error}")
            except OSError as error:
                failed.append(f"{row.name}: {describe_failure(error)}")
            else:
                print(f"{row.name} was told" + (f": {response}" if response else "."))
    if failed:
        raise NotDone(" ".join(failed))


def _known(key: str, username: str, place: str) -> tuple[str, str] | None:
    """Return the login stored on this computer, in the keyring, else in a file of secrets."""
    from ..workflows.alarm_notices import CannotSend
    try:
        return login_kept_as(key, username, place)
    except NotDone as error:
        raise CannotSend(str(error)) from None


def _line(alarm: Alarm) -> str:
    ended = f" Ended {_local(alarm.ended)}: {alarm.ended_words}." if alarm.ended is not None else ""
    failed = "".join(f" Not told: {each}." for each in alarm.failed_notices)
    return f"{alarm.id}  {_local(alarm.raised)}  {alarm.kind}: {alarm.line}{ended}{failed}"


def _local(moment: datetime.datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _content(alarm: Alarm) -> dict[str, object]:
    return {
        "id": alarm.id, "kind": alarm.kind, "subject": alarm.subject, "text": alarm.words, "lab": alarm.lab,
        "workstation": alarm.workstation or None, "raised": alarm.raised.isoformat(),
        "ended": alarm.ended and alarm.ended.isoformat(), "end": alarm.ended_words or None,
        "not_told": list(alarm.failed_notices),
    }  # fmt: skip


# -- which checks are expected


def weekdays(text: str) -> tuple[int, ...]:
    """Return the numbers of the days (1 for Monday) from `mon-fri`, `sat,sun` or `daily`.

    Raises ArgumentTypeError for anything else.
    """
    if text.lower() == _EVERY_DAY:
        return tuple(range(1, 8))
    found: set[int] = set()
    for part in text.lower().split(","):
        match = re.fullmatch(r"([a-z]{3})(?:-([a-z]{3}))?", part.strip())
        if match is None or not {match[1], match[2] or match[1]} <= set(DAYS):
            raise argparse.ArgumentTypeError(f"{text!r} must be days such as mon-fri, sat,sun or daily")
        first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
        span = range(first, last + 1) if first <= last else (*range(first, 7), *range(last + 1))
        found.update(each + 1 for each in span)
    return tuple(sorted(found))


def print_calendar(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print which checks are expected."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        found = model.get_calendar()
    if options.json:
        rows = [{"lab": each.lab, "weekday": DAYS[each.weekday - 1], "time": each.time} for each in found]
        print(json.dumps(rows, indent=2))
        return
    if not found:
        print("No checks are expected: none that is missing is an alarm.")
        return
    times: dict[tuple[str, int], list[str]] = {}
    for each in found:
        times.setdefault((each.lab, each.weekday), []).append(each.time)
    print_table([("lab", "day", "times"), *((lab, DAYS[day - 1], " ".join(at)) for (lab, day), at in times.items())])


def set_calendar(options: argparse.Namespace, secrets: Secrets) -> None:
    """Set which checks of a lab are expected."""
    from .database import opened_model, read_settings

    lab = options.lab.upper()
    times = sorted(set(options.times), key=TIMES.index)
    with opened_model(read_settings(), secrets) as model:
        model.set_calendar(lab, options.days, times)
    print(f"Lab {lab}: checks are expected at {', '.join(times)} on {_named(options.days)}.")


def remove_calendar(options: argparse.Namespace, secrets: Secrets) -> None:
    """Expect no more checks of a lab."""
    from .database import opened_model, read_settings

    lab = options.lab.upper()
    with opened_model(read_settings(), secrets) as model:
        model.set_calendar(lab, options.days, ())
    print(f"Lab {lab}: no checks are expected on {_named(options.days)}.")


def _named(days: tuple[int, ...]) -> str:
    return "any day" if len(days) == len(DAYS) else ", ".join(DAYS[each - 1] for each in days)


# -- who is notified


def print_receivers(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the receivers."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        found = list(model.get_receivers().values())
    if options.json:
        print(json.dumps([each._asdict() for each in found], indent=2, ensure_ascii=False))
        return
    if not found:
        print("Nobody is told of alarms.")
        return
    headings = ("name", "kind", "address", "server", "user name", "secret")
    print_table([headings, *(tuple(each) for each in found)])


def add_receiver(options: argparse.Namespace, secrets: Secrets) -> None:
    """Add a receiver."""
    from ..models.alarms import MAIL, Receiver
    from ..network.mail_addresses import people_problem
    from .database import opened_model, read_settings

    row = Receiver(**{name: getattr(options, name) for name in Receiver._fields})
    if row.kind == MAIL and (problem := people_problem(row.address)):
        raise NotDone(f"The address {problem}.")
    with opened_model(read_settings(), secrets) as model:
        model.add_receiver(row)
    print(f"{row.name} is told of alarms: {row.address} by {row.kind}. `alarms test {row.name}` tries it.")


def remove_receiver(options: argparse.Namespace, secrets: Secrets) -> None:
    """Remove a receiver."""
    from .database import opened_model, read_settings

    with opened_model(read_settings(), secrets) as model:
        row = model.remove_receiver(options.name)
    print(f"{row.name} is no longer told of alarms.")
