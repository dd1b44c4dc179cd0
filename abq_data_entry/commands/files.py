"""`files ls|cd|pwd|get|put|mv|rm|mkdir|rmdir`: the folder of a destination in view, and `deliveries there`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..counting import counted
from ..network.destinations import KINDS, destination
from ..stored_destination import STORED
from . import add_task
from .outcome import NotDone, announce_if_long, cancel_on_interrupt, print_table
from .passwords import Secrets, ask, can_ask, login_for

if TYPE_CHECKING:
    import threading

    from ..network.remote_files import FetchedFile, RemoteFiles, Where
    from ..network.remote_files_names import RemoteEntry
    from . import Subcommands

Done = TypeVar("Done")

_HEADINGS = ("name", "kind", "size", "changed", "rights")
_UNDONE = "That can't be undone."


class View(NamedTuple):
    """The remote folder on which a subcommand works: the session of a destination, and the folder there."""

    files: RemoteFiles[Any]
    where: Where
    kind: str
    values: dict[str, object]
    cancel: threading.Event
    report: Callable[[int, int], object]

    @property
    def place(self) -> str:
        """The folder in words."""
        from ..workflows.remote_files import place_in_words

        return place_in_words(self.kind, self.values, self.where)

    def place_of(self, typed: str) -> tuple[Where, str]:
        """Split `folder/name` into both. Raises FilesRefused if there is no such folder."""
        from ..workflows.remote_files import resolved

        folder, slash, name = typed.rstrip("/").rpartition("/")
        return (resolved(self.files, self.where, folder or "/", self.cancel) if slash else self.where), name

    def find(self, typed: str) -> tuple[Where, RemoteEntry]:
        """Return the folder and the entry of that name. Raises FilesRefused if there is none."""
        where, name = self.place_of(typed)
        return where, self.files.find(where, name, self.cancel)


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand, with its own subcommands, to the parser."""
    parser = subcommands.add_parser(
        "files",
        help="look into the folder of a destination; fetch, put, rename, delete files there",
        description="Look into the folder of a destination (FTP, FTPS, SFTP, WebDAV, a file share), and work in it. "
        "Nothing outside that folder is shown or touched.",
        epilog="`files cd` remembers the folder for each destination; --folder names another one for one call. "
        "Exit code: 0 done, 1 not done (the reason is printed in one line), 2 wrong usage.",
        allow_abbrev=False,
    )
    tasks = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", dest="task", required=True)
    listing = _task(tasks, "ls", show_list, "list a folder: name, kind, size, time, rights")
    listing.add_argument("name", nargs="?", default="", metavar="FOLDER", help="another folder below the present one")
    going = _task(tasks, "cd", change_folder, "go into a folder, for the next calls too")
    going.add_argument("name", nargs="?", default="/", metavar="FOLDER", help=".. is one up, / (default) the top")
    _task(tasks, "pwd", print_folder, "print which folder it is")
    get = _task(tasks, "get", fetch, "fetch a file and compare it; a file is fetched whole or not at all")
    get.add_argument("name", metavar="NAME")
    get.add_argument("-o", "--output", metavar="FILE", help="the file, or the folder for it (default: here)")
    get.add_argument("--text", action="store_true", help="with the line endings of this computer (default: as it is)")
    get.add_argument("--import", dest="takes_in", action="store_true", help="import the list in it")
    put = _task(tasks, "put", store, "put a file there, as deliveries are stored")
    put.add_argument("file", metavar="FILE")
    put.add_argument("name", nargs="?", metavar="NAME", help="its name there (default: as here)")
    move = _task(tasks, "mv", rename, "give a file or folder another name; nothing is ever replaced")
    move.add_argument("name", metavar="NAME")
    move.add_argument("new", metavar="NEW", help="the new name, in the same folder")
    delete = _task(tasks, "rm", remove, "delete a file, or a link without what it leads to")
    delete.add_argument("name", metavar="NAME")
    for each in (get, put, delete):
        each.add_argument("--yes", action="store_true", help="do it without a question")
    for name, run, text in (
        ("mkdir", make_folder, "make a folder"),
        ("rmdir", remove_folder, "remove a folder that is empty"),
    ):
        _task(tasks, name, run, text).add_argument("name", metavar="FOLDER")


def add_there_to(tasks: Subcommands) -> None:
    """Add `there` to the subcommands of `deliveries`."""
    text = "compare what is in the folder of a destination with what was sent from this computer"
    _options(add_task(tasks, "there", compare, text))


def _task(tasks: Subcommands, name: str, run: object, text: str) -> argparse.ArgumentParser:
    parser = add_task(tasks, name, run, text)
    parser.add_argument("--folder", metavar="FOLDER", help="the folder, below that of the destination (this call only)")
    _options(parser)
    return parser


def _options(parser: argparse.ArgumentParser) -> None:
    kinds = ", ".join(each for each in KINDS if destination(each).has_files)
    text = f"{kinds}, or the name of a destination of the database (default: ftp)"
    parser.add_argument("--to", default="ftp", metavar="DESTINATION", help=text)
    parser.add_argument("--username", default="", metavar="U", help="who logs in there (default: asked for)")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--password-stdin", action="store_true", help="the first line of standard input is the password")
    who.add_argument("--anonymous", action="store_true", help="log in as anonymous, without a password")
    parser.add_argument("--active", action="store_true", help="FTP: let the server open the data connection")


# -- the subcommands ------------------------------------------------------------------------------------


def show_list(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print a folder as a table."""
    from ..workflows.remote_files import resolved

    with opened(options, secrets) as view:
        where = resolved(view.files, view.where, options.name, view.cancel) if options.name else view.where
        found = view.files.list(where, view.cancel)
    rows = [(each.shown, each.kind, _size(each.size), each.when, each.rights or "not told") for each in found.entries]
    if rows:
        print_table([_HEADINGS, *rows])
    else:
        print("The folder is empty.")
    if found.rights:
        print(f"This folder: {found.rights}.")
    if found.remark:
        print(found.remark, file=sys.stderr)


def change_folder(options: argparse.Namespace, secrets: Secrets) -> None:
    """Go into a folder, which stays the current one for later commands."""
    from ..workflows.remote_files import place_in_words, remember, resolved

    with opened(options, secrets) as view:
        where = resolved(view.files, view.where, options.name, view.cancel)
        view.files.list(where, view.cancel)  # it may exist and still not be readable
        remember(view.kind, view.values, where)
        print(place_in_words(view.kind, view.values, where))


def print_folder(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print the current folder, without asking the server."""
    from ..workflows.remote_files import named, place_in_words, remembered

    kind, values, _username = _target(options, secrets)
    where = named(options.folder) if options.folder else remembered(kind, values)
    print(place_in_words(kind, values, where))


def fetch(options: argparse.Namespace, secrets: Secrets) -> None:
    """Fetch a file, and offer to import it if it is a list."""
    from ..workflows.remote_files import default_target

    with opened(options, secrets) as view:
        where, entry = view.find(options.name)
        given = Path(options.output) if options.output else Path()
        target = default_target(given, entry) if given.is_dir() else given

        def get(replace: bool) -> FetchedFile:
            return view.files.get(
                where, entry, target, replace=replace, text=options.text, progress=view.report, cancel=view.cancel
            )

        got = _replacing(get, options.yes)
    how = f"compared by {got.verified}" if got.verified else "the server reports nothing to compare it with"
    print(f"{got.path}: {counted(got.size, 'byte')}, {how}, SHA-256 {got.sha256}")
    if options.text:
        print("Its line endings are now those of this computer; size and SHA-256 are those of the file there.")
    _offer_import(got.path, options, secrets)


def store(options: argparse.Namespace, secrets: Secrets) -> None:
    """Put a file there."""
    with opened(options, secrets) as view:
        path = Path(options.file)
        where, name = view.place_of(options.name) if options.name else (view.where, path.name)

        def put(replace: bool) -> str:
            return view.files.put(where, path, name, replace=replace, progress=view.report, cancel=view.cancel)

        name = _replacing(put, options.yes)
        print(f"{name} is in {view.place}.")


def rename(options: argparse.Namespace, secrets: Secrets) -> None:
    """Give something another name."""
    with opened(options, secrets) as view:
        where, entry = view.find(options.name)
        view.files.rename(where, entry, options.new, view.cancel)
        print(f"{entry.shown} is called {options.new} now.")


def remove(options: argparse.Namespace, secrets: Secrets) -> None:
    """Delete a file."""
    with opened(options, secrets) as view:
        where, entry = view.find(options.name)
        size = "" if entry.size is None else f" ({counted(entry.size, 'byte')})"
        if not options.yes and entry.kind != "folder":
            _require(f"Delete {entry.shown}{size} from {view.place}? {_UNDONE}", f"{entry.shown} was not deleted.")
        view.files.remove(where, entry, view.cancel)
        print(f"{entry.shown} is deleted.")


def make_folder(options: argparse.Namespace, secrets: Secrets) -> None:
    """Make a folder."""
    with opened(options, secrets) as view:
        where, name = view.place_of(options.name)
        view.files.make_folder(where, name, view.cancel)
        print(f"The folder {name} is made.")


def remove_folder(options: argparse.Namespace, secrets: Secrets) -> None:
    """Remove a folder that is empty."""
    with opened(options, secrets) as view:
        where, entry = view.find(options.name)
        view.files.remove_folder(where, entry, view.cancel)
        print(f"The folder {entry.shown} is removed.")


def compare(options: argparse.Namespace, secrets: Secrets) -> None:
    """Print for each file of a destination's folder whether it is what was sent; raises NotDone if one isn't."""
    from ..workflows import remote_files as work
    from .outbox import opened_outbox

    options.folder = "/"
    with opened(options, secrets) as view:
        ours = work.sent(opened_outbox().deliveries(), view.kind, destination(view.kind).address(view.values))
        listing = view.files.list((), view.cancel)
        found = work.compare(view.files, listing, ours, view.cancel, view.report)
    if found:
        names = {each.name: each.entry.shown if each.entry else each.name for each in found}
        print_table([("name", "state", "what"), *((names[each.name], each.state, each.words) for each in found)])
    if listing.remark:
        print(listing.remark, file=sys.stderr)
    print(f"{work.counts(found)}.")
    wrong = [each for each in found if each.state in (work.DIFFERS, work.MISSING)]
    if wrong:
        raise NotDone(f"Of what was sent, {counted(len(wrong), 'file')} differ or are missing there.")


# -- shared by the subcommands --------------------------------------------------------------------------


@contextmanager
def opened(options: argparse.Namespace, secrets: Secrets) -> Iterator[View]:
    """Open the remote folder of the chosen destination, with its login; Ctrl-C cancels what runs in it."""
    from ..network import HostKeyUnknown
    from ..workflows.remote_files import ANONYMOUS, remembered, resolved
    from .outbox import AtTheTerminal

    kind, values, username = _target(options, secrets)
    to = destination(kind)
    if options.anonymous or username == ANONYMOUS[0]:
        login = ANONYMOUS
    else:
        login = login_for(kind, username, options.password_stdin, secrets, to.login_place(values))
    with cancel_on_interrupt() as cancel, announce_if_long(f"Looking into the folder of {to.name}") as wait:
        try:
            files = to.remote_files(values, *login)
            files.list((), cancel)
        except HostKeyUnknown as error:
            trust = to.trust(values, error.fingerprint)
            if trust is None or not AtTheTerminal(lambda _service: login).trusts(trust.host, error.fingerprint):
                raise
            values = {**trust.settings}
            files = to.remote_files(values, *login)
        with files:
            where = resolved(files, (), options.folder, cancel) if options.folder else remembered(kind, values)
            yield View(files, where, kind, values, cancel, wait.report)


def _target(options: argparse.Namespace, secrets: Secrets) -> tuple[str, dict[str, object], str]:
    """Return the destination's key, the settings (with the database's, if it is one of those), and the user name."""
    from ..models.destinations import destination_named
    from .database import opened_model, read_settings

    settings = read_settings()
    values: dict[str, object] = {**settings.values()}
    kind = options.to
    if kind not in KINDS:
        with opened_model(settings, secrets) as model:
            stored = model.get_destinations()
        values[STORED] = stored
        kind = destination_named(stored, kind).key
    to = destination(kind)
    if not to.has_files:
        raise NotDone(f"{to.name} has no folder to look into. Name another destination with --to.")
    if options.active:
        values["abq_ftp_passive"] = False
    if problem := to.problem(values):
        raise NotDone(problem)
    return kind, values, options.username or to.username(values)


def _replacing(transfer: Callable[[bool], Done], yes: bool) -> Done:
    """Call `transfer(replace)`; ask before something is replaced, unless `yes`."""
    from ..network.remote_files import AlreadyThere

    try:
        return transfer(yes)
    except AlreadyThere as error:
        _require(f"{error} Replace it? {_UNDONE}", str(error))
    return transfer(True)


def _require(question: str, otherwise: str) -> None:
    """Ask at the terminal; raises NotDone with `otherwise` for any answer but yes, or if there is no terminal."""
    if not can_ask():
        raise NotDone(f"{otherwise} Nobody can be asked: add --yes if you mean it.")
    sys.stdout.flush()
    if ask(f"{question} [y/N] ").lower() not in ("y", "yes"):
        raise NotDone(otherwise)


def _offer_import(path: Path, options: argparse.Namespace, secrets: Secrets) -> None:
    from ..workflows.import_lists import import_list, list_in
    from .database import opened_model, read_settings

    try:
        found = list_in(path)
    except ValueError as error:
        if options.takes_in:
            raise NotDone(str(error)) from None
        print(error, file=sys.stderr)
        return
    if found is None:
        if options.takes_in:
            raise NotDone(f"{path.name} is no list of technicians or seed samples, and nothing was imported.")
        return
    if not options.takes_in and not can_ask():
        print(f"{path.name} is a list of {found.what}: --import imports it.")
        return
    if not (options.takes_in and options.yes):
        _require(f"Import {found.what} from {path.name}?", "Nothing was imported.")
    with opened_model(read_settings(), secrets) as model:
        print(import_list(model, found))


def _size(size: int | None) -> str:
    return "" if size is None else f"{size:,}"
