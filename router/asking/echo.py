"""An echo measures the round-trip time to a router on the way and asks for its version.

A router that does not know echoes refuses them for lack of a target: its refusal measures the time
just as well.
"""

from typing import Annotated

import msgspec

from router.asking.exchange import QuestionReply
from router.link.ports import OfferedStream, Refusal
from router.model import limits
from router.model.ids import RouterId
from router.model.messages import packed

_Version = Annotated[str, msgspec.Meta(pattern=r"\A[ -~]*\Z", max_length=limits.NAME_CHARS_MAX)]
_Router = Annotated[str, msgspec.Meta(max_length=limits.ID_CHARS_MAX)]

FINAL_REFUSALS: frozenset[Refusal] = frozenset({"no-target", "draining"})
"""Refusals that only the end of a path sends: routers on the way send others."""


class EchoAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The router that answers, and its version."""

    router: _Router
    version: _Version


class Heard(msgspec.Struct, frozen=True):
    """The result of one echo. ``rtt_s`` None: the router did not answer; ``error`` says why.

    ``version``: as the router reported it; empty: it reported none.
    """

    rtt_s: float | None
    version: str = ""
    error: str = ""


def answer_echo(stream: OfferedStream, router: RouterId, version: str) -> None:
    """Answer an echo at once."""
    stream.accept(0)
    stream.send(packed.pack(EchoAnswer(router, version[: limits.NAME_CHARS_MAX])))
    stream.finish()


def heard(reply: QuestionReply, router: RouterId) -> Heard:
    """Read ``reply`` to an echo that was sent to ``router``."""
    if reply.refusal is not None:
        if reply.refusal in FINAL_REFUSALS:
            return Heard(reply.rtt_s)
        return Heard(None, error=_REFUSED[reply.refusal])
    if reply.content is None or reply.rtt_s is None:
        return Heard(None, error=reply.error)
    try:
        answer = packed.read(reply.content, EchoAnswer)
    except packed.Unreadable:
        return Heard(None, error="its answer cannot be read")
    if answer.router != router:
        return Heard(None, error="another router answered in its place")
    return Heard(reply.rtt_s, answer.version)


_REFUSED: dict[Refusal, str] = {
    "busy": "refused as busy on the way",
    "connect-failed": "refused",
    "not-allowed": "not allowed on the way",
    "no-route": "a router before it has no link on",
}
