"""Numbers of things, in words."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 day`, `2 days`, `1,200 days`; `plural` where that isn't the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
