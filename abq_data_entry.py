"""Start ABQ Data Entry from a checkout: ``python3 abq_data_entry.py``.

The first start prepares ``.venv`` beside this file, each later one only looks whether it still fits, and the
application then runs in there. The package ``abq_data_entry/`` beside this file wins when the name is imported.
Written so that any Python can read it: one that is too old must be able to say so.
"""

import os
import sys

CHECKOUT = os.path.dirname(os.path.abspath(__file__))


def main(arguments):
    """Returns the exit code."""
    if CHECKOUT not in sys.path:  # PYTHONSAFEPATH leaves it out
        sys.path.insert(0, CHECKOUT)
    if sys.version_info < (3, 10):
        from abq_data_entry.launcher import old_python

        return old_python.hand_over([os.path.abspath(__file__)] + arguments)
    from abq_data_entry.launcher import start

    return start.application(arguments, CHECKOUT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
