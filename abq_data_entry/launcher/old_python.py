"""What to do under a Python that is too old for everything else here: find a newer one and hand over to it.

Written so that every Python can read it, down to 2.7: no annotations, no f-strings.
"""

import os
import subprocess
import sys

OLDEST = (3, 10)
NEWEST = (3, 15)


def is_too_old():
    """Return whether this Python can't run the application."""
    return sys.version_info < OLDEST


def hand_over(program):
    """Run ``program`` (arguments for Python) under a newer Python and return its exit code; 1 if there is none."""
    mine = "%d.%d" % sys.version_info[:2]
    path = _newer_python()
    if path is None:
        sys.stderr.write(
            "ABQ Data Entry needs Python 3.10 or newer, this is Python %s: install a newer one, "
            "then start with it.\n" % mine
        )
        return 1
    sys.stderr.write("Python %s is too old: using %s.\n" % (mine, path))
    return subprocess.call([path] + program)


def _newer_python():
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) + ["/usr/bin", "/usr/local/bin"]:
            path = os.path.join(folder, "python3.%d" % minor)
            if os.access(path, os.X_OK) and _runs(path):
                return path
    return None


def _runs(path):
    """Return whether this runs: pyenv has scripts named python3.x for versions that aren't enabled."""
    with open(os.devnull, "w") as nothing:
        return subprocess.call([path, "-c", "import venv"], stdout=nothing, stderr=nothing) == 0
