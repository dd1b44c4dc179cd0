"""The proxy on the way to a server: the one that is set, else the environment's; none to this machine itself."""

import urllib.parse
import urllib.request

from .failures import HostRefused, HostUnknown, HostUnreachable, InvalidInput, TimedOut
from .guard import is_loopback

_SCHEMES = ("http", "https")


def proxy_for(url: str, chosen: str = "") -> str:
    """Return the address of the proxy for a URL, "" for the direct way.

    `chosen`: the setting `network_proxy`, empty for the environment's (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`);
    `NO_PROXY` holds for both. Raises `InvalidInput` for a proxy that can't be used, such as one of SOCKS.
    """
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or urllib.request.proxy_bypass(host if parts.port is None else f"{host}:{parts.port}"):
        return ""
    found = urllib.request.getproxies()
    address = chosen.strip() or found.get(parts.scheme, "") or found.get("all", "")
    if not address:
        return ""
    address = address if "://" in address else f"http://{address}"
    origin = "The setting network_proxy" if chosen.strip() else "The proxy of the environment (HTTPS_PROXY, HTTP_PROXY)"
    try:
        proxy = urllib.parse.urlsplit(address)
        usable = bool(proxy.hostname) and proxy.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(f"{origin} is no address of a proxy: http:// and a host's name are expected.")
    if proxy.scheme not in _SCHEMES:
        raise InvalidInput(
            f"{origin} is one of {proxy.scheme}://, which isn't known here: it must begin with http:// or https://."
        )
    return address


def of_the_proxy(error: OSError, host: str) -> OSError:
    """Return an error of the way to the proxy as what it is: not one of the server behind it."""
    text = error.strerror if isinstance(error, HostRefused | HostUnreachable | HostUnknown) else str(error)
    told = f"The proxy {host} on the way can't be reached. {text} The setting network_proxy, or HTTPS_PROXY, names it."
    if isinstance(error, HostUnknown | HostRefused | HostUnreachable):
        return type(error)(error.errno or 0, told)
    return TimedOut(told) if isinstance(error, TimedOut) else error

