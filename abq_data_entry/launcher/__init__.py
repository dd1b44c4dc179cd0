"""What has to stand before the application can run: a Python with Tk, system packages and ``.venv``.

Standard library only, and no import here: the launcher passes through this package at every start.
"""

HELP = ("--help", "-h", "--version")
"""Words that only ask: no package is needed for an answer, and nothing is logged."""


class EnvironmentProblem(Exception):
    """Something is missing that this command can't provide; the text is one line that says what to do."""
