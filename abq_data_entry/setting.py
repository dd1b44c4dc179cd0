"""The description of a setting: its default and its valid values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

TYPES: Mapping[str, type] = {"bool": bool, "int": int, "str": str}


class Setting(NamedTuple):
    """One setting: its default and its valid values. `choices`: all valid values, if not empty.

    `check(text)` returns why a text is invalid, as the end of a sentence. Such a text in the file isn't replaced by the
    default, which might send files elsewhere: whatever uses the setting refuses to work instead.
    """

    name: str
    default: bool | int | str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[str], str | None] | None = None

    @property
    def type(self) -> str:
        """The name of the type in the settings file: bool, int or str."""
        return type(self.default).__name__

    def problem(self, value: object) -> str | None:
        """Return why `value` is invalid, as the end of a sentence; `None` if it is valid."""
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
        """Return the result of `check` for the value; `None` without a `check`."""
        return self.check(value) if self.check is not None and isinstance(value, str) else None
