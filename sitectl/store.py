"""The state directory: which sites there are, their documents, and writing them.

Verbs write only ``config/KIND-NAME.yaml``. A document found in another file is the user's: a verb
that would change it fails with its place and a diff.
"""

import contextlib
import difflib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import click

from certs.files import locked, sync_directory
from router.documents import file_name, read, resolve, write
from router.documents.wanted import Wanted
from router.model.errors import ConfigError
from router.model.specs import Document, Kind
from sitectl.admin import Admin
from sitectl.failure import Exit, Failure, conflict, not_found, usage
from sitectl.options import Settings

HOLD_WAIT_S, HOLD_POLL_S = 10.0, 0.02

Change = Literal["created", "updated", "unchanged", "deleted"]


def state_dir(settings: Settings) -> Path:
    """The directory that holds sites."""
    if settings.state:
        return Path(settings.state).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().absolute() / "spillway"


def site_names(state: Path) -> list[str]:
    """The sites in ``state``, sorted."""
    if not state.is_dir():
        return []
    return sorted(path.name for path in state.iterdir() if (path / "config").is_dir())


def site_to_change(settings: Settings) -> "Site":
    """As `find_site`, held against other commands that change it until this command ends.

    Between reading a document and writing it back nobody else may write it.
    """
    site = find_site(settings)
    click.get_current_context().with_resource(held(site))
    return site


@contextlib.contextmanager
def held(site: "Site") -> Iterator[None]:
    """Nobody else changes ``site`` within. Failure: somebody does, for too long."""
    deadline = time.monotonic() + HOLD_WAIT_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(site.directory / ".lock", waits=False))
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Failure(
                        Exit.TIMED_OUT,
                        "site-held",
                        f"another sitectl has been changing site {site.name!r} for "
                        f"{HOLD_WAIT_S:g} s",
                        "Wait for it, or end it, and try again",
                        retryable=True,
                    ) from None
                time.sleep(HOLD_POLL_S)
        yield


def find_site(settings: Settings) -> "Site":
    """The site that the flags mean. Failure: none, several, or no such one."""
    settings.require_process()
    state = state_dir(settings)
    names = site_names(state)
    create = f"sitectl init {settings.site or ''}".rstrip()
    if settings.site:
        if settings.site not in names:
            there = f"; there is: {', '.join(names)}" if names else ""
            meant = difflib.get_close_matches(settings.site, names, n=1)
            raise not_found(
                f"no site {settings.site!r} in {state}{there}",
                f"Did you mean --site {meant[0]}?" if meant else create,
            )
        return Site(state / settings.site)
    if not names:
        raise not_found(f"no site in {state}", create)
    if len(names) > 1:
        raise usage(f"several sites in {state}: {', '.join(names)}", "Add --site NAME")
    return Site(state / names[0])


class Site:
    """One process site in the state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = directory.name
        self.config = directory / "config"
        self.secrets = directory / "secrets"
        self.run = directory / "run"
        self.log = self.run / "router.log"

    @property
    def admin(self) -> Admin:
        """A client of its router."""
        return Admin(self.run / "admin.sock", self.name)

    def scan(self) -> tuple[list[Document], list[ConfigError]]:
        """Every document in ``config/`` with its file, and what is wrong in the files."""
        documents: list[Document] = []
        errors: list[ConfigError] = []
        paths = sorted(
            path
            for path in self.config.iterdir()
            if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")
        )
        for path in paths:
            source = f"config/{path.name}"
            if not path.is_file():  # A pipe would block, a device never end.
                errors.append(ConfigError(source, "", "is not a regular file"))
                continue
            try:
                text = path.read_text("utf-8")
            except UnicodeDecodeError as error:
                errors.append(ConfigError(source, "", f"is not UTF-8: {error.reason}"))
                continue
            except OSError as error:
                errors.append(ConfigError(source, "", f"cannot be read: {error.strerror}"))
                continue
            found, wrong = read(text, source)
            documents += found
            errors += wrong
        return documents, errors

    def documents(self) -> list[Document]:
        """Every document that can be read."""
        return self.scan()[0]

    def find(self, kind: Kind, name: str) -> Document | None:
        """The document of that kind and name, wherever it stands."""
        return next((d for d in self.documents() if (d.kind, d.name) == (kind, name)), None)

    def require_readable(self, kind: Kind, name: str) -> None:
        """Raise Failure when the file that verbs write for that document cannot be read."""
        self._refuse_broken_file(kind, name, self.scan()[1])

    def wanted(self) -> Wanted:
        """Everything together. Failure: no usable Site document."""
        documents, errors = self.scan()
        wanted, across = resolve(documents)
        if wanted is None:
            raise config_failure([*errors, *across], f"site {self.name!r} has no Site document")
        return wanted

    def owns(self, document: Document) -> bool:
        """Whether verbs may rewrite the file that holds ``document``."""
        return document.source == f"config/{file_name(document.kind, document.name)}"

    def put(self, document: Document, *, replace: bool = True) -> Change:
        """Write one document; see `put_all`."""
        return self.put_all([document], replace=replace)[0]

    def put_all(self, documents: Iterable[Document], *, replace: bool = True) -> list[Change]:
        """Write documents to their files, all or none. Failure: conflict, or they contradict.

        Without ``replace`` a document that exists with another spec is a conflict too.
        """
        wanted = list(documents)
        changes = self.judge_all(wanted, replace=replace)
        for document, change in zip(wanted, changes, strict=True):
            if change != "unchanged":
                path = self.config / file_name(document.kind, document.name)
                write_atomically(path, write(document))
        if any(change != "unchanged" for change in changes):
            self.reload()
        return changes

    def judge_all(self, wanted: list[Document], *, replace: bool) -> list[Change]:
        """What `put_all` would change, with its failures; nothing is written."""
        existing, errors = self.scan()
        for document in wanted:
            self._refuse_broken_file(document.kind, document.name, errors)
        _refuse_unreadable(wanted)
        changes: list[Change] = []
        for document in wanted:
            before = [d for d in existing if (d.kind, d.name) == (document.kind, document.name)]
            changes.append(self._judge(document, before, existing, replace))
        self._refuse_contradictions(existing, wanted)
        return changes

    def delete_all(self, documents: Iterable[Document]) -> list[Document]:
        """Remove documents, all or none. Failure: one stands in a file of the user's."""
        wanted = list(documents)
        self.require_ours(wanted)
        for document in wanted:
            (self.config / file_name(document.kind, document.name)).unlink(missing_ok=True)
        if wanted:
            self.reload()
        return wanted

    def require_ours(self, documents: Iterable[Document]) -> None:
        """Raise Failure when one of ``documents``, as found, may not be rewritten or removed."""
        existing, errors = self.scan()
        for document in documents:
            if not self.owns(document) or _is_shared(document, existing):
                raise self._users_own(document, write(document), "")
            self._refuse_broken_file(document.kind, document.name, errors)

    def reload(self) -> bool:
        """Have a running router look at its files now. False: it will at its next poll."""
        try:
            self.admin.command("reload")
        except Failure:
            return False  # Not running, or busy: it polls its files anyhow.
        return True

    def _judge(
        self, document: Document, before: list[Document], existing: list[Document], replace: bool
    ) -> Change:
        if not before:
            return "created"
        if all(other.spec == document.spec for other in before):
            return "unchanged"
        for other in before:
            if not self.owns(other) or _is_shared(other, existing):
                raise self._users_own(other, write(other), write(document))
        if not replace:
            kind = document.kind.lower()
            place = f"{before[0].source}:{before[0].line}"
            raise conflict(
                f"{kind} {document.name!r} exists with other settings ({place})",
                f"Change it with: sitectl {kind} set {document.name} …, or edit "
                f"{self.directory / before[0].source}",
                diff(write(before[0]), write(document), before[0].source),
            )
        return "updated"

    def _users_own(self, document: Document, old: str, new: str) -> Failure:
        place = f"{document.source}:{document.line}"
        return conflict(
            f"{document.kind.lower()} {document.name!r} stands in your own file, {place}",
            f"Edit {self.directory / document.source}",
            diff(old, new, document.source),
        )

    def _refuse_broken_file(self, kind: Kind, name: str, errors: list[ConfigError]) -> None:
        source = f"config/{file_name(kind, name)}"
        broken = [error for error in errors if error.source == source]
        if broken:
            raise config_failure(broken, f"{source} cannot be read and is not overwritten")

    def _refuse_contradictions(self, existing: list[Document], new: list[Document]) -> None:
        """Raise Failure when ``new`` brings a contradiction that was not there before."""
        keys = {(d.kind, d.name) for d in new}
        kept = [d for d in existing if (d.kind, d.name) not in keys]
        before = {error.reason for error in resolve(existing)[1]}
        errors = [e for e in resolve([*kept, *new])[1] if e.reason not in before]
        if errors:
            raise config_failure(errors, "that does not fit the site's other documents")


def _is_shared(document: Document, existing: list[Document]) -> bool:
    """Whether its file holds other documents too, which a rewrite would lose."""
    return sum(other.source == document.source for other in existing) > 1


def _refuse_unreadable(wanted: list[Document]) -> None:
    """Raise Failure when a value is one that documents do not allow: a router could not read it."""
    for document in wanted:
        for error in read(write(document), "")[1]:
            field = f" (at {error.path})" if error.path else ""
            raise usage(f"{error.reason}{field}", error.hint)


def config_failure(errors: list[ConfigError], message: str) -> Failure:
    """Exit 1 with every error on a line of its own."""
    if len(errors) == 1:
        error = errors[0]
        place = f"{error.source}:{error.line}:{error.column}: " if error.line else ""
        field = f" (at {error.path})" if error.path else ""
        hint = error.hint or f"Correct {error.source} and try again"
        return Failure(Exit.FAILED, error.code, f"{place}{error.reason}{field}", hint)
    code = errors[0].code if errors else "SW0101"
    detail = "\n".join(f"  {error}" for error in errors)
    return Failure(Exit.FAILED, code, message, "Correct what is named above", detail=detail)


def decoded(content: bytes, source: str) -> str:
    """The text of a file that a user named. Failure: it is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise usage(f"{source} is not UTF-8 text: byte {error.start}") from error


def text_of(path: Path) -> str:
    """The text of a file that a user named. Failure: there is none, or it is no text."""
    try:
        return decoded(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise not_found(f"no file {path}") from error


def diff(old: str, new: str, source: str) -> str:
    """What a verb would have changed, as a unified diff."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), source, "what was asked for", lineterm=""
    )
    return "\n".join(lines)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace ``path`` in one step and durably; a crash leaves the old or the new text."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
        sync_directory(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
