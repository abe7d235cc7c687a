"""The caches of heads of one router, for all its services."""

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.canonical import check_response_head
from router.http.http1.requests import KnownRequest
from router.http.http1.responses import KnownResponse

Answer = tuple[int, int, bytes]
"""The declared length of a response, its status, and its head for a client whose HTTP/1.1
connection stays open."""


AsBlock = tuple[int, bytes, bytes, bytes, int]
"""The declared length of a message over HTTP/2, the Via added to it (empty for a request), its
scheme (empty for a response), its header block for the other end, and the size of its header list
as peers count it."""


class HeadMemory:
    """One cache of each kind, so that the bounds apply to the whole router.

    ``answers``: by canonical response head, see `Answer`. ``blocks``: by canonical head, see
    `AsBlock`.
    """

    __slots__ = ("_statuses", "answers", "blocks", "requests", "responses")

    def __init__(self) -> None:
        self.requests: BytesCache[KnownRequest] = BytesCache()
        self.responses: BytesCache[KnownResponse] = BytesCache()
        self.answers: BytesCache[Answer] = BytesCache()
        self.blocks: BytesCache[AsBlock] = BytesCache()
        self._statuses: BytesCache[int] = BytesCache()  # By response heads of other sites.

    def __len__(self) -> int:
        heads = len(self.requests) + len(self.responses) + len(self._statuses)
        return heads + len(self.answers) + len(self.blocks)

    def status_of(self, head: bytes) -> int | None:
        """The status of a response head from another site; None: it is not canonical."""
        known = self._statuses.known
        if head in known:
            return known[head]
        status = check_response_head(head)
        if status is not None:
            self._statuses.note(head, status)
        return status

    def forget(self) -> None:
        """Forget all heads, which contain credentials: see `limits.HEADS_FORGOTTEN_S`."""
        self.requests.forget()
        self.responses.forget()
        self.answers.forget()
        self.blocks.forget()
        self._statuses.forget()
