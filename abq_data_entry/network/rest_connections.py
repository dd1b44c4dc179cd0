"""Connections of `requests` that a guard opens and watches, and that send every block as it is."""

import weakref
from typing import Any

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from .final_answer import FinalResponse
from .guard import Guard
from .proxies import of_the_proxy


class GuardedAdapter(requests.adapters.HTTPAdapter):
    """Gives a session connections that end when the guard ends them, direct or through a proxy."""

    def __init__(self) -> None:
        self.guard: Guard | None = None
        self._open: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._pools = self._guarded_pools()
        super().__init__(pool_connections=2, pool_maxsize=1)

    def continue_under(self, guard: Guard) -> None:
        """Let a guard watch what is opened from now on, and what is open."""
        self.guard = guard
        for connection in list(self._open):
            if connection.sock is not None and connection.sock.fileno() >= 0:
                guard.watch(connection.sock)

    def progressed(self) -> None:
        """Start the guard's clock anew: the next step begins."""
        self._present().progressed()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def _present(self) -> Guard:
        assert self.guard is not None
        return self.guard

    def _guarded_pools(self) -> dict[str, type[urllib3.HTTPConnectionPool]]:
        adapter = self

        def open_socket(self: HTTPConnection) -> Any:
            adapter._open.add(self)
            try:
                return adapter._present().connect(self._dns_host, self.port)
            except OSError as error:  # as it is, a reset here would be taken for an early answer
                told = error if self.proxy is None else of_the_proxy(error, self._dns_host)
                kind = ConnectTimeoutError if isinstance(error, TimeoutError) else NewConnectionError
                raise kind(self, "failed") from told

        def send(self: HTTPConnection, data: Any) -> None:
            if self.sock is None or not isinstance(data, bytes | bytearray | memoryview):
                super(HTTPConnection, self).send(data)
            else:
                adapter._present().send(self.sock, data)

        members = {"_new_conn": open_socket, "send": send, "response_class": FinalResponse}
        plain = type("GuardedHTTPConnection", (HTTPConnection,), members)
        encrypted = type("GuardedHTTPSConnection", (HTTPSConnection,), members)
        return {
            "http": type("GuardedHTTPPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("GuardedHTTPSPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": encrypted}),
        }
