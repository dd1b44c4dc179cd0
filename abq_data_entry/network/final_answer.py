"""Answers of HTTP whose status is the final one (RFC 9110, section 15.2)."""

import http.client


class FinalResponse(http.client.HTTPResponse):
    """Passes over all interim answers (100, 102, 103, 199…), of which `http.client` knows only 100.

    101 stays what it is, the last word on this connection: nobody asked for another protocol.
    """

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        interim = 100 <= status < 200 and status != http.HTTPStatus.SWITCHING_PROTOCOLS
        return version, int(http.HTTPStatus.CONTINUE) if interim else status, reason
