"""A site as verbs see it, wherever its documents and secrets are stored.

`directory` stores them in files, `kubernetes.site` in objects; this module decides for both what a
verb may write. Verbs write only their places (`Site.own_place`). A document elsewhere is the
user's: a verb that would change it fails with its place and a diff.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from router.documents import read, resolve, write
from router.documents.wanted import Wanted
from router.model.errors import ConfigError
from router.model.specs import Document, Kind, SiteSpec
from sitectl.base.failure import Exit, Failure, conflict, not_allowed, usage
from sitectl.base.texts import config_failure, diff
from sitectl.site.ports import LinkTokens, RouterDoor, ServiceCredentials, Trust

if TYPE_CHECKING:
    from certs.names import Endpoint

Change = Literal["created", "updated", "unchanged", "deleted"]


class Site(ABC):
    """One site. Repeated reads are cheap; see each store for the cost of the first."""

    name: str

    admin: RouterDoor
    """A client of its router."""

    is_changed = False
    """This command changed documents that each router has separately, beyond name and links."""

    @property
    @abstractmethod
    def links(self) -> LinkTokens:
        """The tokens of its links."""

    @property
    @abstractmethod
    def credentials(self) -> ServiceCredentials:
        """The credentials of its services."""

    @property
    @abstractmethod
    def trust(self) -> Trust:
        """Identity of the site and its trust. Failure: the secrets are not readable."""

    @abstractmethod
    def endpoints(self) -> tuple["Endpoint", ...]:
        """Addresses for tokens that name no host. Failure: no site can reach this one."""

    def degrades(self, failure: Failure) -> bool:
        """Whether ``failure`` means that no router can be asked: only documents are known."""
        return failure.exit_code is Exit.UNREACHABLE

    def told(self, path: str) -> Any | None:
        """The router's answer to ``GET path``; None: no router can be asked."""
        try:
            return self.admin.get(path)
        except Failure as failure:
            if not self.degrades(failure):
                raise
            return None

    def still_answers(self) -> bool:
        """Whether a router is there that only this once gave no answer."""
        return False

    def unanswered(self, silence: Failure) -> Failure | None:
        """``silence`` if a router runs but does not answer, so that documents are only a guess.

        None: no router runs, and documents are the whole truth.
        """
        return silence if self.still_answers() else None

    def may_serve(self, silence: Failure) -> bool:
        """Whether a router that could not be asked may serve all the same."""
        return self.unanswered(silence) is not None

    def links_unread(self) -> Failure | None:
        """Why the links that are configured cannot be read; None: they can."""
        return None

    @abstractmethod
    def end_sessions(self, site_id: str) -> None:
        """Have a router drop the links of a site that was revoked."""

    def may_be_others(self, name: str) -> bool:
        """Whether another site may own ``name``, so that it is worth asking the router."""
        return True

    def console_of(self, told: dict[str, str]) -> dict[str, str]:
        """Where browsers find the console, of which the router ``told``."""
        return told

    poll_s = 0.05
    """Interval between two requests to the router while a verb waits."""

    has_workloads = False
    """Whether targets may be pods of workloads."""

    @property
    def makes_services(self) -> bool:
        """Whether clients get a place here where documents ask for one."""
        return True

    def workload_name(self, kind: str, name: str, namespace: str) -> str:
        """``NAME`` of a workload as a connector states it. Failure: there is none."""
        raise not_allowed(
            f"target type {kind!r} needs Kubernetes; a process site has targets of type host",
            "sitectl service bind NAME host ADDRESS --target-port PORT",
            code="needs-kubernetes",
        )

    def workload_ports(self, kind: str, name: str) -> tuple[tuple[int, int | str], ...]:
        """The ports that a workload declares, each with the target's; none when unknown."""
        return ()

    def mark(self, document: Document, notes: dict[str, str | None]) -> bool:
        """Put annotations onto the object that holds ``document``. False: none was needed."""
        raise usage("a process site has no annotations", "sitectl --platform kubernetes …")

    @abstractmethod
    def scan(self) -> tuple[list[Document], list[ConfigError]]:
        """Every document with its place, and the errors of unreadable ones."""

    @abstractmethod
    def own_place(self, kind: Kind, name: str) -> str:
        """The ``source`` of a document of that name that verbs wrote."""

    @abstractmethod
    def where(self, document: Document) -> str:
        """The place of ``document``, human-readable."""

    @abstractmethod
    def edit_hint(self, document: Document) -> str:
        """The command or file to change a document of the user's."""

    def removal_hint(self, document: Document) -> str:
        """The command or file to remove a document of the user's."""
        return self.edit_hint(document)

    @abstractmethod
    def write_document(self, document: Document) -> None:
        """Put ``document`` into its own place."""

    @abstractmethod
    def remove_document(self, document: Document) -> None:
        """Remove the content of the verbs' place of ``document``."""

    @abstractmethod
    def mesh_record(self) -> str:
        """The record that `keep_mesh_record` stored; empty: none."""

    @abstractmethod
    def keep_mesh_record(self, text: str) -> None:
        """Keep what a mesh file made here, for the next time that it is applied."""

    @abstractmethod
    def reload(self) -> bool:
        """Have a running router look at its documents now. False: it will by itself."""

    @abstractmethod
    def held(self) -> AbstractContextManager[None]:
        """Lock the site against other commands, if the store can. Failure: it is locked."""

    def documents(self) -> list[Document]:
        """Every document that can be read."""
        return self.scan()[0]

    def find(self, kind: Kind, name: str) -> Document | None:
        """The document of that kind and name, wherever it stands."""
        return next((d for d in self.documents() if (d.kind, d.name) == (kind, name)), None)

    def peers(self) -> tuple[str, ...]:
        """Other routers of the site, which have separate documents."""
        found = self.find("Site", self.name)
        return found.spec.peers if found is not None and isinstance(found.spec, SiteSpec) else ()

    def note_change(self) -> None:
        """This command changed something that each router of the site has for itself."""
        self.is_changed = True

    def require_readable(self, kind: Kind, name: str) -> None:
        """Raise Failure when the place that verbs write that document to cannot be read."""
        self._refuse_broken_place(kind, name, self.scan()[1])

    def unreadable(self) -> list[ConfigError]:
        """Of each document that cannot be read, why."""
        return [error for error in self.scan()[1] if error.severity == "error"]

    def require_all_readable(self) -> None:
        """Raise Failure if a document cannot be read: it may hold the one that was not found."""
        if errors := self.unreadable():
            raise config_failure(errors, "one of these documents may hold what is not found")

    @property
    def init_hint(self) -> str:
        """The command that makes a site of this name, or finishes making it; may be empty."""
        return ""

    def wanted(self) -> Wanted:
        """Everything together. Failure: no usable Site document."""
        documents, errors = self.scan()
        wanted, across = resolve(documents)
        if wanted is None:
            found = [*errors, *across]
            failure = config_failure(found, f"site {self.name!r} has no Site document")
            if not found and self.init_hint:
                failure.message += ": its making was interrupted"
                failure.hint = f"{self.init_hint}, which finishes it"
            raise failure
        return wanted

    def owns(self, document: Document) -> bool:
        """Whether verbs may rewrite the place that holds ``document``."""
        return document.source == self.own_place(document.kind, document.name)

    def may_rewrite(self, document: Document, existing: list[Document]) -> bool:
        """Whether verbs may replace and remove ``document``, as found among ``existing``."""
        return self.owns(document) and not _is_shared(document, existing)

    def put(self, document: Document, *, replace: bool = True) -> Change:
        """Write one document; see `put_all`."""
        return self.put_all([document], replace=replace)[0]

    def put_all(self, documents: Iterable[Document], *, replace: bool = True) -> list[Change]:
        """Write documents to their places, all or none. Failure: conflict, or they contradict.

        Without ``replace`` a document that exists with another spec is a conflict too.
        """
        wanted = list(documents)
        changes = self.judge_all(wanted, replace=replace)
        for document, change in zip(wanted, changes, strict=True):
            if change != "unchanged":
                self.write_document(document)
                self._has_changed(document)
        if any(change != "unchanged" for change in changes):
            self.reload()
        return changes

    def judge_all(self, wanted: list[Document], *, replace: bool) -> list[Change]:
        """The changes that `put_all` would make, with its failures; writes nothing."""
        existing, errors = self.scan()
        for document in wanted:
            self._refuse_broken_place(document.kind, document.name, errors)
        refuse_unreadable(wanted)
        changes: list[Change] = []
        for document in wanted:
            before = [d for d in existing if (d.kind, d.name) == (document.kind, document.name)]
            changes.append(self._judge(document, before, existing, replace))
        self._refuse_contradictions(existing, wanted)
        return changes

    def delete_all(self, documents: Iterable[Document]) -> list[Document]:
        """Remove documents, all or none. Failure: one is in a place of the user's."""
        wanted = list(documents)
        self.require_ours(wanted)
        for document in wanted:
            self.remove_document(document)
            self._has_changed(document)
        if wanted:
            self.reload()
        return wanted

    def _has_changed(self, document: Document) -> None:
        if document.kind not in ("Site", "Link"):
            self.note_change()

    def require_ours(self, documents: Iterable[Document]) -> None:
        """Raise Failure when one of ``documents``, as found, may not be rewritten or removed."""
        existing, errors = self.scan()
        for document in documents:
            if not self.may_rewrite(document, existing):
                raise self._users_own(document, write(document), "")
            self._refuse_broken_place(document.kind, document.name, errors)

    def _judge(
        self, document: Document, before: list[Document], existing: list[Document], replace: bool
    ) -> Change:
        if not before:
            return "created"
        if all(other.spec == document.spec for other in before):
            return "unchanged"
        for other in before:
            if not self.may_rewrite(other, existing):
                raise self._users_own(other, write(other), write(document))
        if not replace:
            kind = document.kind.lower()
            raise conflict(
                f"{kind} {document.name!r} exists with other settings ({self.where(before[0])})",
                f"Change it with: sitectl {kind} set {document.name} …, or "
                f"{_lower_first(self.edit_hint(before[0]))}",
                diff(write(before[0]), write(document), before[0].source),
            )
        return "updated"

    def _users_own(self, document: Document, old: str, new: str) -> Failure:
        return conflict(
            f"{document.kind.lower()} {document.name!r} is in your own "
            f"{self.users_word}, {self.where(document)}",
            self.edit_hint(document) if new else self.removal_hint(document),
            diff(old, new, document.source),
        )

    users_word = "file"
    """The kind of place that users' documents are in."""

    def _refuse_broken_place(self, kind: Kind, name: str, errors: list[ConfigError]) -> None:
        source = self.own_place(kind, name)
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


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _is_shared(document: Document, existing: list[Document]) -> bool:
    """Whether its place holds other documents too, which a rewrite would lose."""
    return sum(other.source == document.source for other in existing) > 1


def refuse_unreadable(wanted: list[Document]) -> None:
    """Raise Failure when a value is one that documents do not allow: a router could not read it."""
    for document in wanted:
        for error in read(write(document), "")[1]:
            field = f" (at {error.path})" if error.path else ""
            raise usage(f"{error.reason}{field}", error.hint)


class ManagedSite(Site):
    """A site together with what keeps its router running; the flags of a command mean one."""

    @abstractmethod
    def last_status(self, silence: Failure) -> dict[str, Any]:
        """The item of `status` as far as it is known without a router; ``silence``: why so."""

    def runtime(self) -> dict[str, Any]:
        """The runtime of its router on this host; empty: none."""
        return {}

    @abstractmethod
    def restart_router(self) -> None:
        """Restart a running router, with the current secrets."""
