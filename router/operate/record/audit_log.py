"""Who changed what: documents, and commands over the admin socket."""

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from router.admin.client_identity import NOBODY_KNOWN, user
from router.admin.ports import GivenCommand
from router.documents.differences import HIDDEN, Difference, differences
from router.model import limits
from router.model.errors import ConfigError
from router.model.events import Change
from router.model.specs import Document
from router.model.wording.plural import counted
from router.operate.record.journal import Journal

ORDERED_S = 3.0  # A reload this soon before a change belongs to it, as with `sitectl`.
_QUIET = ("reload",)
"""Commands without a direct effect: the journal reports their results instead."""
_FIELDS_SAID = 4  # In a sentence; the event has all.

_MAY_HOLD_SECRETS = re.compile(
    r"\b(url|command|secret|object|(?<!skupper\.io/)proxy|linkProxy|password|token)\b"
)
"""Fields that may hold a secret: a proxy's URL may contain a password. `skupper.io/proxy` is a
protocol.
"""
_QUOTED = re.compile(r"'[^']*'|\[[^\]]*\]")


class Author(NamedTuple):
    """Who last wrote at a place, and when in Unix time; empty and None: unknown."""

    who: str = ""
    at: float | None = None


AuthorOf = Callable[[str], Author]
"""By the place of a document."""


def owner_of(site_dir: Path) -> AuthorOf:
    """The authors of files in a site directory: their owners."""

    def author(source: str) -> Author:
        try:
            found = os.stat(site_dir / source)
        except OSError:  # The file is gone.
            return Author()
        return Author(f"{user(found.st_uid)}, owner of {source}", found.st_ctime)

    return author


def told_of(error: ConfigError) -> tuple[str, str]:
    """Message and hint of a document's error, for the journal, which is stored.

    In fields that may hold a secret, values are masked: `status` shows them in full.
    """
    message = error.message.removeprefix(error.source).lstrip(": ")
    if not _MAY_HOLD_SECRETS.search(error.path):
        return message, error.hint
    path = f" (at {error.path})"
    return _QUOTED.sub(HIDDEN, message.removesuffix(path)) + path, _QUOTED.sub(HIDDEN, error.hint)


class AuditLog:
    """Compares documents with the previous ones, first with those at the start."""

    __slots__ = ("_author_of", "_journal", "_known", "_now", "_ordered", "_wall")

    def __init__(
        self,
        journal: Journal,
        author_of: AuthorOf,
        known: Sequence[Document],
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``now``: monotonic seconds, ``wall``: Unix seconds."""
        self._journal, self._author_of, self._now, self._wall = journal, author_of, now, wall
        self._known = tuple(known)
        self._ordered = ("", float("-inf"), 0.0)
        """Who gave the last reload, and when in monotonic and Unix time."""

    def commanded(self, order: GivenCommand) -> None:
        """Record a command given over the admin socket."""
        if order.name in _QUIET and not order.failed:
            self._ordered = (order.by, self._now(), self._wall())
            return
        words = " ".join([order.name, *(f"{k}={v}" for k, v in sorted(order.arguments.items()))])
        words = words[: limits.EVENT_VALUE_CHARS_MAX]
        if order.failed:
            text = f"Order {words} was not carried out: {order.failed}."
            self._journal.audit("command-failed", "router", text, order.by, severity="warning")
        else:
            self._journal.audit("command", "router", f"Order {words}: {order.done}", order.by)

    def documents(self, documents: Sequence[Document]) -> None:
        """Record the changes to these documents."""
        before, self._known = self._known, tuple(documents)
        if before == self._known:
            return
        for found in differences(before, self._known):
            self._tell(found)

    def _tell(self, found: Difference) -> None:
        author = self._author_of(found.source)
        by = author.who
        who, at, wall_at = self._ordered
        # A command reloads after it has written. A later author wrote by hand.
        is_later = author.at is not None and author.at > wall_at
        if self._now() - at <= ORDERED_S and who and not is_later:
            by = f"{who}, by a command"
        changes = found.changes[: limits.EVENT_CHANGES_MAX]
        self._journal.audit(
            _code_of(found),
            f"{found.kind}/{found.name}",
            _sentence(found),
            by or NOBODY_KNOWN,
            changes=changes,
            service=found.service,
        )


def _code_of(found: Difference) -> str:
    if found.done != "changed":
        return f"document-{found.done}"
    fields = {change.field for change in found.changes}
    if any(field.startswith("policy") for field in fields):
        return "policy-changed"
    if any(
        field in ("capacity", "siteCapacity") or field.endswith("].capacity") for field in fields
    ):
        return "capacity-changed"
    return "document-changed"


def _sentence(found: Difference) -> str:
    if found.done != "changed":
        within = _settings(found) if found.kind == "Policy" else ""
        return f"{found.kind}/{found.name} was {found.done}{within}."
    return f"{found.kind}/{found.name} was changed: {_first(list(map(_change, found.changes)))}."


def _settings(found: Difference) -> str:
    """The first settings of a document that was added or removed and whose name does not explain
    it.
    """
    each = [f"{one.field} {one.new or one.old}" for one in found.changes if one.new or one.old]
    return f": {_first(each)}" if each else ""


def _first(each: Sequence[str]) -> str:
    more = len(each) - _FIELDS_SAID
    shown = ", ".join(each[:_FIELDS_SAID])
    return f"{shown} and {counted(more, 'more field')}" if more > 0 else shown


def _change(change: Change) -> str:
    return f"{change.field} {change.old or 'unset'} -> {change.new or 'unset'}"
