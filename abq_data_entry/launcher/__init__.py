"""Prepares what the application needs to run: a Python with Tk, system packages and ``.venv``.

Standard library only, and no import in this file, because every start loads it.
"""

HELP = ("--help", "-h", "--version")
"""Options that only print a text: they need no package, and nothing is logged."""


class EnvironmentProblem(Exception):
    """Something is missing that the launcher can't provide; the text is one line that says what to do."""
