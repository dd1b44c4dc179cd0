"""The keys of an ssh-agent, which may have none, refuse to sign, or wait until somebody confirms that it may.

Source: the SSH agent protocol (draft-ietf-sshm-ssh-agent).
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Any

import paramiko

from .guard import Guard, call_abandonable

_WHOM = "The ssh-agent, which may wait for somebody to confirm it,"


class AgentKey(paramiko.AgentKey):
    """A key that the agent signs with. `refused`: whether the agent said that it doesn't."""

    def __init__(self, key: paramiko.AgentKey, guard: Guard) -> None:
        super().__init__(key.agent, key.blob, key.comment)
        self.refused = False
        self._guard = guard

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:
        """Return the signature; if the agent makes none, one that the server refuses, so that other keys follow."""
        try:
            with self._guard.awaiting(_WHOM):
                return bytes(super().sign_ssh_data(data, algorithm))
        except (paramiko.SSHException, OSError):  # as it is, it would end the connection
            self.refused = True
            nothing = paramiko.Message()
            nothing.add_string(algorithm or self.get_name())
            nothing.add_string(b"")
            return bytes(nothing.asbytes())


@contextlib.contextmanager
def agent_keys(guard: Guard) -> Iterator[list[AgentKey]]:
    """Yield the keys of the agent, for a block. Raises what the guard raises."""
    with guard.awaiting(_WHOM):
        agent = call_abandonable(_agent, guard.check)
    if agent is None:
        yield []
        return
    try:
        keys = agent.get_keys()
        # What the agent listens at is no socket on Windows: there a wait is left behind.
        for connection in {key.agent._conn for key in keys}:
            _watch(guard, connection)
        yield [AgentKey(key, guard) for key in keys]
    finally:
        agent.close()


def _agent() -> paramiko.Agent | None:
    try:
        return paramiko.Agent()
    except (paramiko.SSHException, OSError, struct.error):  # it is none, or gives nothing away
        return None


def _watch(guard: Guard, connection: Any) -> None:
    if isinstance(connection, socket.socket):
        guard.watch(connection)
