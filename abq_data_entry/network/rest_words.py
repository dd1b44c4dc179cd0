"""What the body of a REST service's answer says: whether it was a success after all, and why not, in its own words.

Sources: RFC 9457 (problem+json); the names that services commonly use for the rest.
"""

import html
import json
import re

_LARGEST_TEXT = 2000
_FAILED = ("error", "fail", "failed", "failure", "rejected", "refused", "denied", "invalid")
_REASONS = ("message", "detail", "error_description", "reason", "error", "errors", "title", "description", "msg")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_UNSEEN = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def says_failed(text: str) -> bool:
    """Tell whether an answer is an object in JSON that says of itself that it is no success."""
    told = _object(text)
    status = told.get("status")
    return (
        any(told.get(name) is False for name in ("success", "ok", "successful"))
        or (isinstance(status, str) and status.strip().lower() in _FAILED)
        or (isinstance(status, int) and not isinstance(status, bool) and 400 <= status < 600)
        or any(bool(told.get(name)) for name in ("error", "errors"))
    )


def reason(text: str) -> str:
    """Return what the answer says in words: of an object in JSON its reasons, of a page its title and text."""
    told = _object(text)
    found = [each for name in _REASONS for each in _texts(told.get(name))]
    if any(map(str.strip, found)):
        return ". ".join(dict.fromkeys(each.rstrip(". ") for each in found if each.strip()))[:_LARGEST_TEXT]
    text = text.strip()
    if text[:1] == "<":
        return _of_html(text)
    return "" if "\N{REPLACEMENT CHARACTER}" in text or "\0" in text else text[:_LARGEST_TEXT]


def _of_html(text: str) -> str:
    title = _TITLE.search(text)
    named = _plain(title[1]) if title else ""
    shown = _plain(_UNSEEN.sub(" ", text))
    if not named or named in shown:
        return shown[:_LARGEST_TEXT]
    return f"{named}: {shown}"[:_LARGEST_TEXT] if shown else named


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _object(text: str) -> dict[str, object]:
    text = text.lstrip("\N{BYTE ORDER MARK} \t\r\n")
    try:
        told = json.loads(text) if text.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return {str(name).lower(): value for name, value in told.items()} if isinstance(told, dict) else {}


def _texts(value: object, depth: int = 0) -> list[str]:
    """Return the texts of a member that may be a text, a list, or an object of fields with their reasons."""
    if isinstance(value, str):
        return [value]
    if depth > 2:
        return []
    if isinstance(value, list):
        return [text for each in value[:20] for text in _texts(each, depth + 1)]
    if isinstance(value, dict):
        named = [text for name in _REASONS for text in _texts(value.get(name), depth + 1)]
        return named or [f"{name}: {text}" for name, each in value.items() for text in _texts(each, depth + 1)][:20]
    return []
