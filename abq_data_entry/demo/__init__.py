"""The demo: a laboratory's day with the real window, the embedded database and the bundled servers.

Everything it makes stays in a temporary folder of its own and in the folder of results; everything it starts, it ends.
"""


class DemoFailed(Exception):
    """A step of the demo failed; the text is for people and says which one and why."""
