"""Opens the window of deliveries, and runs its commands."""

from __future__ import annotations

import dataclasses
import datetime
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from .. import outbox
from ..network.destinations import destination
from ..transfer import TransferProgress
from ..views.deliveries import DeliveriesWindow, DeliveryCallbacks, DeliveryRow
from ..views.side_window import brought_up
from ..workflows.deliver_day import open_outbox
from .deliveries import Running

if TYPE_CHECKING:
    import tkinter as tk
    from pathlib import Path

    from ..jobs import Jobs
    from ..outbox import Delivery, Outbox
    from .deliveries import Deliveries
    from .messages import Messages, ShowStatus
    from .outdated import Outdated
    from .receipts import Answers


def show_deliveries(
    parent: tk.Tk,
    jobs: Jobs,
    messages: Messages,
    show_in_main_window: ShowStatus,
    deliveries: Deliveries,
    outdated: Outdated,
    compare_there: Callable[[str], str],
    answers: Answers,
) -> DeliveriesWindow:
    """Show the window of deliveries, or bring the open one to the front.

    ``compare_there(kind)`` shows the folder of a destination, compared with what was sent; it returns why that isn't
    possible, empty if it is.
    """
    shown = brought_up(parent, DeliveriesWindow)
    if shown is not None:
        shown.tree.focus_set()
        return shown
    rows = DeliveryRows()

    def fetch(show: Callable[[Sequence[DeliveryRow] | None], object]) -> None:
        def unknown(error: BaseException) -> None:
            failed(error)
            show(None)

        def arrived(found: tuple[list[DeliveryRow], list[str]]) -> None:
            deliveries.report_damage(found[1])
            show(found[0])

        outdated.look()
        answers.look_up(rows.identifiers)
        changed = {identifier: each.changed for identifier, each in outdated.found.items()}
        said = {identifier: [each.line for each in found] for identifier, found in answers.found.items()}
        jobs.submit("deliveries", rows.all, deliveries.attempts, changed, said, done=arrived, failed=unknown)

    def show_status(text: str) -> None:
        show_in_main_window(text)
        window.show_status(text)

    def failed(error: BaseException) -> None:
        from ..network import describe_failure

        show_status(str(error) if isinstance(error, outbox.OutboxError) else describe_failure(error))

    def retry(identifier: str) -> None:
        old = outdated.found.get(identifier)
        if old is not None:
            outdated.send_again(old)
            return
        known = rows.known(identifier)
        if known is not None and known.state == "failed" and not rows.has_file(identifier):
            # It arrived, and its receiver refused it: a new extract is made from the day's records.
            from ..models import OutdatedDelivery

            outdated.send_again(OutdatedDelivery(identifier, known.date, known.kind, known.changed))
            return
        if known is not None and known.state == "unknown":
            messages.choice(
                "Send Again", f"Send {known.name} once more?",
                f"{known.reason}\n\nAnybody who has it already gets it twice. It goes to {_not_served(known)}.",
                (("Send Once More", lambda: deliveries.try_again([identifier])), ("Cancel", None)), careful=True,
            )  # fmt: skip
            return
        deliveries.try_again([identifier])

    def arrived(identifier: str) -> None:
        known = rows.known(identifier)
        if known is None:
            return

        def noted(delivery: Delivery) -> None:
            show_status(f"{delivery.name} has arrived: it is not sent again")
            window.refresh()

        messages.choice(
            "Has Arrived", f"Has {known.name} arrived?",
            "Then it is never sent again, and its file is removed from here. Make sure that these have it:\n"
            + _not_served(known),
            (("It Has Arrived", lambda: jobs.submit("files", _arrived, identifier, done=noted, failed=failed)),
             ("Cancel", None)),
            careful=True,
        )  # fmt: skip

    def what_is_there(identifier: str) -> None:
        known = rows.known(identifier)
        if known is not None:
            show_status(compare_there(known.kind))

    def cancel(identifier: str) -> None:
        if not deliveries.stop(identifier):
            jobs.submit("files", _give_up, identifier, done=given_up, failed=failed)

    def given_up(delivery: Delivery) -> None:
        deliveries.forget(delivery.kind, delivery.name)

    def show_file(identifier: str) -> None:
        def shown(folder: Path) -> None:
            show_status(f"The folder with the file is opened: {folder}")

        jobs.submit("files", _show, identifier, done=shown, failed=failed)

    command = messages.command
    window = DeliveriesWindow(
        parent,
        DeliveryCallbacks(
            fetch,
            command(retry),
            command(cancel),
            command(show_file),
            deliveries.forget_logins,
            command(arrived),
            command(what_is_there),
            command(lambda: answers.ask(show_status)) if answers.has_mailbox else None,
        ),
    )
    return window


# -- on worker threads ----------------------------------------------------------------------------------


class DeliveryRows:
    """The rows of all deliveries; those that haven't changed are neither read nor built again."""

    def __init__(self) -> None:
        self._box: Outbox | None = None
        self._made: dict[str, tuple[Delivery, DeliveryRow]] = {}
        self._progress: dict[str, TransferProgress] = {}
        self._reported = 0  # how many of the outbox's problems were returned already

    def known(self, identifier: str) -> Delivery | None:
        """Return the delivery as it was last listed."""
        found = self._made.get(identifier)
        return found and found[0]

    def has_file(self, identifier: str) -> bool:
        """Return whether its file is still on this computer."""
        found = self._made.get(identifier)
        return found is not None and found[1].has_file

    @property
    def identifiers(self) -> list[str]:
        """The identifiers of the deliveries that were listed last."""
        return [*self._made]

    def all(
        self,
        running: Mapping[str, Running],
        changed: Mapping[str, datetime.datetime] | None = None,
        said: Mapping[str, Sequence[str]] | None = None,
    ) -> tuple[list[DeliveryRow], list[str]]:
        """Return the rows, newest first, and a sentence for each part found to be damaged since the last call.

        By the identifier of the delivery, ``changed`` has since when its extract is outdated, and ``said`` what its
        receivers answered.
        """
        self._box = box = self._box or open_outbox()
        self._progress = {each: self._progress.get(each) or TransferProgress() for each in tuple(running)}
        for identifier, progress in self._progress.items():
            attempt = running.get(identifier)  # it may have ended by now
            if attempt is not None and attempt.job.latest is not None:
                progress.note(*attempt.job.latest)
        made: dict[str, tuple[Delivery, DeliveryRow]] = {}
        for each in reversed(box.deliveries()):
            known = self._made.get(each.identifier)
            if known is None or known[0] != each or each.state == "sending":
                known = each, _row(box, each, self._progress.get(each.identifier))
            made[each.identifier] = known
        self._made = made
        since = changed or {}
        answers = said or {}
        rows = [_answered(row, answers[each]) if each in answers else row for each, (_, row) in made.items()]
        rows = [_outdated(row, since[row.identifier]) if row.identifier in since else row for row in rows]
        problems, self._reported = box.problems[self._reported :], len(box.problems)
        return rows, problems


def _give_up(identifier: str) -> Delivery:
    box = open_outbox()
    return outbox.cancel(box, box.read(identifier))


def _arrived(identifier: str) -> Delivery:
    box = open_outbox()
    return outbox.arrived(box, box.read(identifier))


def _show(identifier: str) -> Path:
    box = open_outbox()
    folder = box.file_of(box.read(identifier)).parent
    opener = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
    try:
        subprocess.Popen([opener, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise outbox.OutboxError(f"No program here shows folders. The file is in {folder}") from error
    return folder


def _row(box: Outbox, delivery: Delivery, progress: TransferProgress | None) -> DeliveryRow:
    path = box.file_of(delivery)
    state, following = delivery.state, delivery.next_step
    if state == "sending":
        percent = None if progress is None else progress.percent
        state = state if percent is None else f"sending, {percent} %"
        following = "" if progress is None else progress.text  # None: by another process, or just over
    cells = (
        f"{delivery.date}",
        f"{delivery.version}",
        destination(delivery.kind).name,
        state,
        f"{delivery.changed.astimezone():%Y-%m-%d %H:%M}",
        " ".join(following.split()),
    )
    is_unfinished = delivery.state in ("waiting", "failed", "unknown")
    return DeliveryRow(
        delivery.identifier,
        cells,
        _receipt(delivery, following),
        is_unfinished,
        is_unfinished or delivery.state == "sending",
        path.exists(),
        may_have_arrived=delivery.state == "unknown",
        has_folder=destination(delivery.kind).has_files,
    )


def _not_served(delivery: Delivery) -> str:
    """Return for whom it isn't known whether they have it."""
    return ", ".join(each for each in delivery.address.split(", ") if each not in delivery.served)


def _outdated(row: DeliveryRow, since: datetime.datetime) -> DeliveryRow:
    """Return the row of an extract that arrived before records of its day were changed."""
    when = f"{since.astimezone():%Y-%m-%d %H:%M}"
    what = f"Records of the day were changed after it, {when} first. Send Again sends them all."
    day, version, kind, _state, moment, _following = row.cells
    return dataclasses.replace(
        row, cells=(day, version, kind, "outdated", moment, what), receipt=f"Outdated. {what}\n{row.receipt}",
        may_retry=True, outdated=True,
    )  # fmt: skip


def _answered(row: DeliveryRow, said: Sequence[str]) -> DeliveryRow:
    """Return the row with the answers of its receivers; the last one is in the list if that cell is empty."""
    *cells, following = row.cells
    answers = "\n".join(f"Answer: {each}" for each in reversed(said))
    return dataclasses.replace(row, cells=(*cells, following or said[-1]), receipt=f"{answers}\n{row.receipt}")


def _once(state: str, following: str) -> str:
    """Return the state and the next step, without repeating it where both are the same."""
    return state if following == state else f"{state} {following}".strip()


def _other_name(delivery: Delivery) -> str:
    return "" if delivery.sent_as == delivery.name else f", called {delivery.sent_as} there"


def _receipt(delivery: Delivery, following: str) -> str:
    login = f", as {delivery.username}" if delivery.username else ""
    lines = [
        f"{delivery.name}, version {delivery.version}, {delivery.size:,} bytes, number {delivery.short_id}",
        f"to {delivery.address} by {destination(delivery.kind).name}{login}{_other_name(delivery)}",
        f"SHA-256 {delivery.sha256}",
        _once(f"{delivery.state.capitalize()}.", following),
        *([f"Has arrived for {', '.join(delivery.served)}"] if delivery.served else []),
    ]
    for number, attempt in reversed([*enumerate(delivery.attempts, 1)]):
        seconds = "" if attempt.seconds is None else f" in {attempt.seconds:.1f} s"
        moment = f"{attempt.started.astimezone():%Y-%m-%d %H:%M:%S}"
        lines.append(f"Attempt {number}: {moment}, {attempt.sent:,} bytes{seconds}. {attempt.outcome}".strip())
    lines += [f"Audit of lab {line}" for line in delivery.audit_chains]
    return "\n".join(lines)
