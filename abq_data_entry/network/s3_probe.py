"""The S3 store: the way to it; with a key the bucket, and a tiny object stored and removed only if wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .failures import InvalidInput
from .probing import TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name
from .s3_requests import NO_BUCKET, Refused, members
from .web import probe_with_login

if TYPE_CHECKING:
    from .destination import Settings
    from .s3 import S3Uploads


def probe(
    kind: str, problem: str, uploads: Callable[[Settings, str, str], S3Uploads], context: Context
) -> Steps[None]:
    """Check the store. `problem`: why a setting can't be used; `uploads(settings, key, secret)`: what sends."""

    def look(inspection: Inspection, sender: S3Uploads, username: str) -> Steps[None]:
        yield from inspection.step("Login", lambda: _enter(context, sender, username))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _store(context, sender))

    return probe_with_login("S3 store", str(context.settings["abq_s3_url"]), kind, problem, uploads, context, look)


def _enter(context: Context, sender: S3Uploads, username: str) -> Result[None]:
    def ask() -> None:
        answer = sender.ask("GET", query="list-type=2&max-keys=1")
        if "ListBucketResult" not in members(answer.page):  # buckets, where its name is missing; or no store at all
            raise InvalidInput(f"What answered isn't a bucket. {NO_BUCKET}")

    try:
        sender.run(ask, context.cancel)
    except Refused as error:
        if error.code != "AccessDenied":
            raise
        return Result(None, f"the access key {username} may not list the {sender.bucket}", "--write tries to store.")
    return Result(None, f"the access key {username} is good for the {sender.bucket}")


def _store(context: Context, sender: S3Uploads) -> Result[None]:
    from .s3 import Digests

    name = new_test_name()
    removed: list[bool] = []

    def work() -> None:
        digests = Digests([TEST_CONTENT])
        sender.put(name, TEST_CONTENT, digests)
        found = sender.has(name, len(TEST_CONTENT), digests)
        removed.append(sender.ask("DELETE", name, accepted=(403,)).status != 403)
        if found is False:
            raise InvalidInput("The store took a file and doesn't have it. Tell its administrator.")

    sender.run(work, context.cancel)
    if removed == [True]:
        return Result(None, f"{name} was stored and removed again")
    return Result(None, f"{name} was stored", "It stays there: this access key has no right to remove it.")
