"""The state that several parts of the window need; they can follow its changes."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from ..journal import Entry
    from ..models import SQLModel
    from ..workflows.save_record import Save

Value = TypeVar("Value")


class LastSave(NamedTuple):
    """The form's last save, as it was typed, and the version of the saved record (``None``: not known)."""

    save: Save
    version: int | None


class Named(Protocol):
    """The person at the window."""

    @property
    def name(self) -> str:
        """The name confirmed at Technician; empty if nobody is."""


class Fact(Generic[Value]):
    """An attribute of :class:`State` whose changes can be followed. The value is in the state's ``__dict__``, so that
    reading it costs no call."""

    def __init__(self, initial: Value) -> None:
        self.initial = initial

    def __set_name__(self, owner: type[State], name: str) -> None:
        self._name = name

    if TYPE_CHECKING:  # what a read gives; without it at run time, Python looks into the state

        @overload
        def __get__(self, state: None, owner: type[State]) -> Fact[Value]: ...

        @overload
        def __get__(self, state: State, owner: type[State]) -> Value: ...

        def __get__(self, state: State | None, owner: type[State]) -> Fact[Value] | Value:
            return self if state is None else self.initial

    def __set__(self, state: State, value: Value) -> None:
        before = vars(state)[self._name]
        if value is before or value == before:
            return
        vars(state)[self._name] = value
        for listener in state.listeners.get(self, ()):
            listener(value)


class State:
    """The facts, each set by one part only. Written on the Tk thread; worker threads may read.

    ``state.away_since`` reads a fact, ``state.away_since = …`` changes it, and ``state.follow(State.away_since,
    listener)`` has ``listener(value)`` called at each change.
    """

    model: Fact[SQLModel | None] = Fact(None)
    """The database; ``None`` until it is open. It is kept while the database is away. Set by the window."""
    opening: Fact[bool] = Fact(True)
    """Whether it is being opened, or somebody is asked for the login. Set by `Connection`."""
    username: Fact[str] = Fact("")
    """Who is logged in at the configured server; empty for our own one. Set by `Connection`."""
    away_since: Fact[datetime.datetime | None] = Fact(None)
    """Since when the database is away: records wait on this computer meanwhile. Set by `Reconnecting`."""
    away_error: Fact[BaseException | None] = Fact(None)
    """Why it is away. Set by `Reconnecting`."""
    outdated: Fact[bool] = Fact(False)
    """Whether its tables are newer than this program: what is saved waits in the journal. Set by `DatabaseChanges`."""
    read_only: Fact[str] = Fact("")
    """Why records can't be changed; empty if they can. Set by `WhichDatabase` and `Permissions`."""

    waiting: Fact[tuple[Entry, ...]] = Fact(())
    """The records that wait on this computer for this database, in order. Set by `WaitingRecords`."""

    def __init__(self) -> None:
        vars(self).update({name: fact.initial for name, fact in vars(State).items() if isinstance(fact, Fact)})
        self.listeners: dict[Fact[Any], list[Callable[[Any], object]]] = {}
        self.clock: Callable[[], datetime.date] = datetime.date.today
        self.saved_records = 0
        """The number of records saved in this session."""
        self.last_save: LastSave | None = None
        """The form's save that can be taken back; ``None`` once something else was done. Set by `RecordEntry`."""
        self.technician: Named | None = None
        """The person confirmed in the form. Set by `MainWindow`."""

    def follow(self, fact: Fact[Value], listener: Callable[[Value], object]) -> None:
        """Call ``listener(value)`` whenever that changes."""
        self.listeners.setdefault(fact, []).append(listener)

    def today(self) -> datetime.date:
        """Return the present date, by the clock of this computer."""
        return self.clock()

    def latest_waiting(self, key: tuple[Any, ...]) -> Entry | None:
        """Return the last entry of that date, time, lab and plot that waits on this computer, if any."""
        return next((each for each in reversed(self.waiting) if each.key == key), None)

    @property
    def away(self) -> bool:
        """Whether the database is away."""
        return self.away_since is not None

    @property
    def reachable(self) -> SQLModel | None:
        """The database; ``None`` if it isn't open or is away."""
        return None if self.away else self.model

    @property
    def login_refused(self) -> bool:
        """Whether the database answers, but doesn't take the login any more."""
        from ..models.errors import LoginFailed

        return self.away and isinstance(self.away_error, LoginFailed)

    @property
    def person(self) -> str:
        """The confirmed technician, else the login; never a name that was only filled in."""
        confirmed = "" if self.technician is None else self.technician.name
        return confirmed or self.username or account()

    @property
    def names(self) -> tuple[str, ...]:
        """What the person at the window is called: ``person``, and the login or account."""
        return tuple(dict.fromkeys((self.person, self.username or account())))


def account() -> str:
    """Return the account on this computer; empty if it has no name.

    It stands for a person who hasn't chosen a name: their corrections must not count as those of the colleague whose
    name is in the record.
    """
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        return ""
