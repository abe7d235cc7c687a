"""Which documents count while some sources (files, objects) are wrong or contradict each other.

When a source becomes wrong, its last good documents still count, so that a typo withdraws nothing.
The owner of the sources stores these documents, and restores them when it starts again. When a
source is gone, so are its documents.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from router.documents import Wanted, resolve
from router.documents.in_force import InForce
from router.model.errors import ConfigError
from router.model.specs import Document


class SourcesReading(msgspec.Struct, frozen=True):
    """The wanted state of a site, and all errors in its sources.

    ``in_force``: by wrong source, the documents in force in place of its text, to be stored for the
    next start.
    """

    wanted: Wanted
    errors: tuple[ConfigError, ...]
    in_force: Mapping[str, InForce] = {}


class _Source:
    """``said``: the documents of its text; ``found``: these and older ones that it keeps;
    ``good``: those that count."""

    __slots__ = ("errors", "found", "good", "said")

    def __init__(self) -> None:
        self.said: tuple[Document, ...] = ()
        self.found: tuple[Document, ...] = ()
        self.good: tuple[Document, ...] = ()
        self.errors: tuple[ConfigError, ...] = ()


class Acceptance:
    """``site_lost``: the hint for the case that no source has a Site any more."""

    def __init__(self, site_lost: str) -> None:
        self._site_lost = site_lost
        self._sources: dict[str, _Source] = {}
        self._restored: set[str] = set()
        self._site: Document | None = None  # The last Site that counted.
        self._serves = False  # There was a usable state before.
        self._resolved: tuple[list[Document], tuple[Wanted | None, list[ConfigError]]] | None = None

    @property
    def sources(self) -> frozenset[str]:
        """All known sources."""
        return frozenset(self._sources)

    def good(self, source: str) -> tuple[Document, ...]:
        """The documents of ``source`` that count."""
        found = self._sources.get(source)
        return () if found is None else found.good

    def restore(self, source: str, documents: Iterable[Document]) -> None:
        """``documents`` counted before a restart, in place of the text that ``source`` still has.

        Call it before the first `take` of ``source``.
        """
        self._sources[source] = known = _Source()
        known.good = tuple(documents)
        self._restored.add(source)

    def take(
        self,
        source: str,
        documents: Iterable[Document],
        errors: Iterable[ConfigError] = (),
        kept: Iterable[Document] = (),
    ) -> None:
        """Set the usable documents in the text of ``source``, and those ``kept`` of `good`."""
        known = self._sources.setdefault(source, _Source())
        known.errors = tuple(errors)
        known.said = tuple(documents)
        known.found = (*known.said, *kept)

    def drop(self, source: str) -> None:
        """``source`` is gone."""
        del self._sources[source]
        self._restored.discard(source)

    def in_force(self) -> dict[str, tuple[Document, ...]]:
        """By source, the documents that count, where its text has others or none."""
        return {
            name: source.good
            for name, source in sorted(self._sources.items())
            if source.good != source.said
        }

    def errors(self) -> list[ConfigError]:
        """All errors within sources."""
        return [error for _, source in sorted(self._sources.items()) for error in source.errors]

    def documents(self) -> list[Document]:
        """All documents that count."""
        return [document for source in self._sources.values() for document in source.good]

    def accept(self) -> list[ConfigError]:
        """Let the found documents count, except sources that contradict the rest. Returns the
        contradictions.

        At first all documents count, except of restored sources, and `resolve` leaves out the wrong
        ones. Later the state in use is the yardstick: a source is accepted if it adds no
        contradiction. The clean sources are tried together, then each remaining one alone, until no
        more can be accepted.
        """
        found = [document for source in self._sources.values() for document in source.found]
        errors = self.resolve(found)[1]
        waiting = {name: s for name, s in sorted(self._sources.items()) if s.found != s.good}
        if not errors or not self._serves:
            old = self._restored if errors else frozenset()
            _let_count(source for name, source in waiting.items() if name not in old)
            waiting = {name: source for name, source in waiting.items() if name in old}
        known = {str(error) for error in self.resolve(self.documents())[1]}
        blamed = {error.source for error in errors}
        clean = {name: s for name, s in waiting.items() if not _is_blamed(s, name, blamed)}
        if self._try(list(clean.values()), known):
            waiting = {name: s for name, s in waiting.items() if name not in clean}
        progress = True
        while progress:
            progress = False
            for name, source in list(waiting.items()):
                if self._try([source], known):
                    known = {str(error) for error in self.resolve(self.documents())[1]}
                    del waiting[name]
                    progress = True
        return errors

    def _try(self, sources: Sequence[_Source], known: set[str]) -> bool:
        """Let ``sources`` count if that adds no contradictions to those in ``known``."""
        if not sources:
            return False
        before = [source.good for source in sources]
        _let_count(sources)
        if {str(error) for error in self.resolve(self.documents())[1]} <= known:
            return True
        for source, good in zip(sources, before, strict=True):
            source.good = good
        return False

    def resolve(self, documents: Iterable[Document]) -> tuple[Wanted | None, list[ConfigError]]:
        """As `documents.resolve`; a missing Site is an error, and the last one counts until another
        comes.

        None: there has never been a Site. Repeated calls with the same documents resolve them only
        once.
        """
        documents = list(documents)
        known = self._resolved
        if known is None or known[0] != documents:
            known = self._resolved = documents, resolve(documents)
        wanted, errors = known[1]
        if wanted is not None or self._site is None:
            return wanted, errors
        missing = ConfigError(
            self._site.source,
            "",
            "no Site document any more; the last one stays in force",
            hint=self._site_lost,
            code="SW0109",
        )
        wanted, errors = resolve([*documents, self._site])
        return wanted, [missing, *errors]

    def served(self, documents: Iterable[Document]) -> None:
        """``documents`` made a usable state: it is the yardstick from now on."""
        self._serves = True
        self._site = next((d for d in documents if d.kind == "Site"), self._site)


def news(
    before: SourcesReading | None,
    wanted: Wanted,
    errors: Iterable[ConfigError],
    in_force: Mapping[str, InForce],
) -> SourcesReading | None:
    """The new reading, each error in it once; None: the same as ``before``."""
    by_text = {str(error): error for error in errors}
    found = SourcesReading(wanted, tuple(by_text.values()), in_force)
    if before is None or (before.wanted, before.in_force) != (wanted, in_force):
        return found
    return None if [str(error) for error in before.errors] == list(by_text) else found


def _let_count(sources: Iterable[_Source]) -> None:
    for source in sources:
        source.good = source.found


def _is_blamed(source: _Source, name: str, blamed: set[str]) -> bool:
    return name in blamed or any(document.source in blamed for document in source.found)
