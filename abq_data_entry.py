"""Start ABQ Data Entry from a checkout: ``python3 abq_data_entry.py``.

The first start prepares ``.venv`` beside this file, each later one only looks whether it still fits, and the
application then runs in there. The package ``abq_data_entry/`` beside this file wins when the name is imported.
Written so that any Python can read it: one that is too old must be able to say so.
"""

import os
import sys

CHECKOUT = os.path.dirname(os.path.abspath(__file__))
OLDEST = (3, 10)
NEWEST_TRIED = 14


def newer_python():
    """The path of a Python on this machine that is new enough, or None."""
    import subprocess

    for minor in range(NEWEST_TRIED, OLDEST[1] - 1, -1):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) + ["/usr/bin", "/usr/local/bin"]:
            path = os.path.join(folder, "python3.%d" % minor)
            if os.access(path, os.X_OK):
                with open(os.devnull, "w") as nothing:
                    if subprocess.call([path, "-c", "import venv"], stdout=nothing, stderr=nothing) == 0:
                        return path
    return None


def use_newer_python(arguments):
    """Hand over to a newer Python; returns 1, having said why, when there is none."""
    mine = "%d.%d" % sys.version_info[:2]
    path = newer_python()
    if path is None:
        sys.stderr.write("ABQ Data Entry needs Python 3.10 or newer, this is Python %s: install a newer one, "
                         "then start with it.\n" % mine)
        return 1
    import subprocess

    sys.stderr.write("Python %s is too old: using %s.\n" % (mine, path))
    return subprocess.call([path, os.path.abspath(__file__)] + arguments)


def main(arguments):
    """Returns the exit code."""
    if sys.version_info < OLDEST:
        return use_newer_python(arguments)
    if CHECKOUT not in sys.path:  # PYTHONSAFEPATH leaves it out
        sys.path.insert(0, CHECKOUT)
    from abq_data_entry.environment import start

    return start.application(arguments, CHECKOUT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
