"""What describes one setting: its default, and what it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

TYPES: Mapping[str, type] = {"bool": bool, "int": int, "str": str}


class Setting(NamedTuple):
    """One setting: what it is when nobody set it, and what it may be. `choices` are the only values it can take.

    `check` returns why a text can't be used, as the end of a sentence. A file that says such a text isn't overruled by
    the default, which would send files elsewhere: whatever uses the setting refuses it.
    """

    name: str
    default: bool | int | str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[str], str | None] | None = None

    @property
    def type(self) -> str:
        """The name of the type, as the file says it: bool, int or str."""
        return type(self.default).__name__

    def problem(self, value: object) -> str | None:
        """Return why it can't be `value`, as the end of a sentence; `None` if it can."""
        if type(value) is not TYPES[self.type]:
            return f"must be of the type {self.type}, not {type(value).__name__}"
        if self.choices and value not in self.choices:
            return f"must be {'empty or ' * ('' in self.choices)}one of {', '.join(filter(None, self.choices))}"
        if isinstance(value, int) and not isinstance(value, bool):
            if self.minimum is not None and value < self.minimum:
                return f"must be at least {self.minimum}"
            if self.maximum is not None and value > self.maximum:
                return f"must be at most {self.maximum}"
        return self.refusal(value)

    def refusal(self, value: object) -> str | None:
        """Return what `check` says of the value."""
        return self.check(value) if self.check is not None and isinstance(value, str) else None
