"""Files at a destination: the current folder, and a comparison of what is there with what was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import folders
from ..network.destinations import destination, set_up, stored_in
from ..network.remote_files_names import FILE, FOLDER, UNKNOWN, local_name, name_problem, shown

if TYPE_CHECKING:
    from ..network.remote_files import RemoteFiles
    from ..network.remote_files_names import Listing, RemoteEntry
    from ..outbox import Delivery

Where = tuple[str, ...]
Values = Mapping[str, object]

SAME, DIFFERS, MISSING, NOT_OURS, COMPANION = "same", "differs", "missing", "not ours", "companion"

ANONYMOUS = ("anonymous", "abq-data-entry@")
"""The login for anonymous FTP (RFC 1635)."""

_FILE = "remote-folders.json"
_LARGEST = 1024 * 1024  # bytes
_DEEPEST = 50  # folders
_LARGEST_COMPARED = 64 * 1024 * 1024
"""Bytes: larger files aren't fetched for a comparison."""


class Compared(NamedTuple):
    """The result for one name: its state, and the same in words. `entry`: None if it is missing at the destination."""

    name: str
    state: str
    words: str
    entry: RemoteEntry | None = None


def with_files(values: Values) -> dict[str, str]:
    """Return the destinations that have a folder of files: name by key, in the order of the menus."""
    fixed = {each.kind: each.name for each in set_up(values) if each.has_files}
    stored = {each.key: each.name for each in stored_in(values) if destination(each.key).has_files}
    return {**fixed, **stored}


# -- the folder that is remembered ----------------------------------------------------------------------


def remembered(kind: str, values: Values) -> Where:
    """Return the current folder, set by the last `cd`, relative to the destination's own; () if there was none.

    If the file with it can't be read, the result is () as well.
    """
    found = _remembered_folders().get(_place(kind, values))
    if not isinstance(found, list) or len(found) > _DEEPEST or not all(isinstance(each, str) for each in found):
        return ()
    return () if any(map(name_problem, found)) else tuple(found)


def remember(kind: str, values: Values, where: Where) -> None:
    """Make a folder the current one for the next command. Raises `OSError`."""
    kept = {key: parts for key, parts in _remembered_folders().items() if key != _place(kind, values)}
    if where:
        kept[_place(kind, values)] = [*where]
    with folders.replacement(folders.data_folder(create=True) / _FILE) as path:
        path.write_text(json.dumps(kept, indent=2), encoding="ascii")


def _remembered_folders() -> dict[str, Any]:
    try:
        with (folders.data_folder() / _FILE).open(encoding="ascii") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _place(kind: str, values: Values) -> str:
    return f"{kind} {destination(kind).address(values)}"


def named(typed: str) -> Where:
    """Return the folder that a path means, relative to the destination's own, without checking that it exists.

    Raises `FilesRefused`.
    """
    from ..network.remote_files import FilesRefused

    found: Where = ()
    for part in typed.split("/"):
        if part == "..":
            found = _above(found)
        elif part not in ("", "."):
            if problem := name_problem(part):
                raise FilesRefused(f"{shown(part)} {problem}.")
            found = (*found, part)
    return found


def _above(where: Where) -> Where:
    from ..network.remote_files import FilesRefused

    if not where:
        raise FilesRefused("Nothing above the folder of the destination is shown.")
    return where[:-1]


def resolved(files: RemoteFiles[Any], where: Where, typed: str, cancel: threading.Event | None = None) -> Where:
    """Return the folder that a path means, relative to `where`: `seeds`, `..`, `a/b`; `/` is the destination's own.

    Raises `FilesRefused` if there is no such folder.
    """
    from ..network.remote_files import FilesRefused

    found = () if typed.startswith("/") else where
    for part in typed.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            found = _above(found)
            continue
        entry = files.find(found, part, cancel)
        if entry.kind not in (FOLDER, UNKNOWN):
            raise FilesRefused(f"{entry.shown} is no folder.")
        found = (*found, entry.name)
    if len(found) > _DEEPEST:
        raise FilesRefused("That is too deep.")
    return found


# -- comparing what is there with what was sent ---------------------------------------------------------


def sent(deliveries: Iterable[Delivery], kind: str, address: str) -> dict[str, Delivery]:
    """Return the last delivery that arrived at that address under each name, by that name."""
    found: dict[str, Delivery] = {}
    for each in deliveries:
        if each.state != "delivered" or (each.kind, each.address) != (kind, address):
            continue
        before = found.get(each.sent_as)
        if before is None or each.changed >= before.changed:
            found[each.sent_as] = each
    return found


def compare(
    files: RemoteFiles[Any],
    listing: Listing,
    ours: Mapping[str, Delivery],
    cancel: threading.Event | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[Compared]:
    """Compare each name in the destination's own folder, and each that was sent.

    If sizes are equal, the contents are compared: by a digest from the server, else by fetching the file. Raises what
    `files` raises.
    """
    by_name = {each.name: each for each in listing.entries}
    found = []
    for number, entry in enumerate(listing.entries):
        if progress is not None:
            progress(number, len(listing.entries))
        delivery = ours.get(entry.name)
        if delivery is None:
            found.append(_other(entry, ours))
        else:
            found.append(_compared(files, entry, delivery, cancel))
    missing = [name for name in ours if name not in by_name]
    if listing.complete:
        found += [Compared(each, MISSING, f"was sent {_when(ours[each])}, and is gone") for each in missing]
    return found


def counts(found: Sequence[Compared]) -> str:
    """Return how many names have each state, in one line."""
    numbers = {state: sum(each.state == state for each in found) for state in (SAME, DIFFERS, MISSING, NOT_OURS)}
    return ", ".join(f"{number} {state}" for state, number in numbers.items())


def _compared(
    files: RemoteFiles[Any], entry: RemoteEntry, delivery: Delivery, cancel: threading.Event | None
) -> Compared:
    if entry.kind not in (FILE, UNKNOWN):
        return Compared(entry.name, DIFFERS, f"is no file there, but was sent as one {_when(delivery)}", entry)
    if entry.size is not None and entry.size != delivery.size:
        words = f"has {entry.size:,} bytes there; {delivery.size:,} were sent {_when(delivery)}"
        return Compared(entry.name, DIFFERS, words, entry)
    if delivery.size > _LARGEST_COMPARED:
        return Compared(entry.name, SAME, "has the same size; too large to be fetched for comparing", entry)
    digest = files.sha256((), entry, cancel)
    if digest != delivery.sha256:
        return Compared(entry.name, DIFFERS, f"has another content than what was sent {_when(delivery)}", entry)
    return Compared(entry.name, SAME, f"as it was sent {_when(delivery)}", entry)


def _other(entry: RemoteEntry, ours: Mapping[str, Delivery]) -> Compared:
    from ..outbox import companions

    for name in ours:
        if entry.name in companions(name):
            return Compared(entry.name, COMPANION, f"belongs to {name}", entry)
    return Compared(entry.name, NOT_OURS, "wasn't sent from this computer", entry)


def _when(delivery: Delivery) -> str:
    return f"{delivery.changed.astimezone():%Y-%m-%d %H:%M}"


def default_target(folder: Path, entry: RemoteEntry) -> Path:
    """Return the path for a fetched file in a folder of this computer; never outside it, whatever the server's name."""
    return folder / local_name(entry.name)


def place_in_words(kind: str, values: Values, where: Where) -> str:
    """Return the folder as people write it: the destination's address, then the path below it."""
    return "/".join([destination(kind).address(values).rstrip("/"), *map(shown, where)])
