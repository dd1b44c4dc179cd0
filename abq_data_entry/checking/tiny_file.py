"""The file that a write test stores and removes again."""

import secrets

NAME = ".abq-connection-test-"
CONTENT = b"A connection test of ABQ Data Entry. This file may be removed.\n"


def new_name() -> str:
    """Return a name that no other file has, and that folders don't show."""
    return f"{NAME}{secrets.token_hex(8)}"
