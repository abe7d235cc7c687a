"""What one router remembers of heads, over all its services."""

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.canonical import check_response_head
from router.http.http1.requests import KnownRequest
from router.http.http1.responses import KnownResponse

Answer = tuple[int, int, bytes]
"""The declared length that a response came with, its status, and how its head looks then to a
client whose HTTP/1.1 connection lives on."""


AsBlock = tuple[int, bytes, bytes, bytes, int]
"""The declared length of a message over HTTP/2, the Via that was added to it (none to a request),
its scheme (none of a response), its header block for the other end, and how long a list that is as
peers count it."""


class HeadMemory:
    """One of each kind, so that the bounds are those of the router.

    ``answers``: by a canonical response head, see `Answer`. ``blocks``: by a canonical head, see
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
        """The status of a response head as another site sends it; None: it is not canonical."""
        known = self._statuses.known
        if head in known:
            return known[head]
        status = check_response_head(head)
        if status is not None:
            self._statuses.note(head, status)
        return status

    def forget(self) -> None:
        """Heads have credentials in them: see `limits.HEADS_FORGOTTEN_S`."""
        self.requests.forget()
        self.responses.forget()
        self.answers.forget()
        self.blocks.forget()
        self._statuses.forget()
