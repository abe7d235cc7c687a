"""Wire format of a site's answer about itself. Arrays grow at their end. The receiver trusts
nothing: every text, figure and number of rows is bounded.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from router.asking.targets import TargetAnswer
from router.model import limits
from router.model.messages import packed

_Count = Annotated[int, msgspec.Meta(ge=0, le=limits.COUNTER_MAX)]
_Word = Annotated[str, msgspec.Meta(pattern=r"\A[ -~]*\Z", max_length=2 * limits.NAME_CHARS_MAX)]
_Service = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9.-]{1,253}\Z")]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Text = Annotated[str, msgspec.Meta(pattern=r"\A[ -~]*\Z", max_length=limits.SITE_TEXT_MAX)]
_Moment = Annotated[str, msgspec.Meta(pattern=r"\A[0-9TZ:.+-]{0,40}\Z")]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=limits.INQUIRY_STATE_S_MAX)]
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{0,64}\Z")]


class SiteQuestion(msgspec.Struct, frozen=True, array_like=True):
    """The subject: the whole site, or the history of a service (``port`` 0: of all its ports).

    ``after``: for `sibling_news`, the last event that the asking router has received.
    """

    about: Annotated[str, msgspec.Meta(max_length=32)]
    service: Annotated[str, msgspec.Meta(max_length=253)] = ""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    after: Annotated[int, msgspec.Meta(ge=-1, le=limits.COUNTER_MAX)] = 0


class ServedAnswer(msgspec.Struct, frozen=True, array_like=True):
    """Completed requests of the site's own clients, by the name of the site that served them.

    ``overflow``: those of them that a cheaper site was too full for. Empty name: no site served
    them.
    """

    site: _Word
    requests: _Count
    overflow: _Count


class ServiceAnswer(msgspec.Struct, frozen=True, array_like=True):
    """One service port. ``in_flight``, ``capacity`` and ``rate_per_s`` cover the site's own
    targets.
    """

    name: _Service
    port: _Port
    protocol: _Word
    policy: _Word
    requests_total: _Count
    overflow_total: _Count
    queued: _Count
    in_flight: _Count
    targets_ready: _Count
    capacity: _Count | None
    rate_per_s: Annotated[float, msgspec.Meta(ge=0, le=limits.RATE_SUM_MAX)] | None
    served: Annotated[
        tuple[ServedAnswer, ...], msgspec.Meta(max_length=limits.SITE_SERVED_MAX)
    ] = ()
    targets: Annotated[
        tuple[TargetAnswer, ...], msgspec.Meta(max_length=limits.INQUIRY_TARGETS_MAX)
    ] = ()


class LinkAnswer(msgspec.Struct, frozen=True, array_like=True):
    """One link. ``certificate_expires``: ISO 8601; empty: unknown."""

    neighbour: _Word
    neighbour_id: _Id
    direction: _Word
    cost: _Count
    state: _Word
    rtt_ms: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None
    streams: _Count
    certificate_expires: _Moment = ""


class ProblemAnswer(msgspec.Struct, frozen=True, array_like=True):
    """``message`` empty: the asker may not see the subject of the problem."""

    code: Annotated[str, msgspec.Meta(pattern=r"\A[A-Z0-9]{1,16}\Z")]
    message: _Text


class SiteAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The whole site. ``left_out``: number of services that did not fit."""

    site: _Id
    version: _Word
    mode: _Word
    ready: bool
    uptime_s: _Seconds
    replicas: _Count
    problems: Annotated[
        tuple[ProblemAnswer, ...], msgspec.Meta(max_length=limits.SITE_PROBLEMS_MAX)
    ]
    links: Annotated[tuple[LinkAnswer, ...], msgspec.Meta(max_length=limits.SITE_LINKS_MAX)]
    services: Annotated[
        tuple[ServiceAnswer, ...], msgspec.Meta(max_length=limits.SITE_SERVICES_MAX)
    ]
    left_out: _Count = 0


def read_question(content: bytes) -> SiteQuestion | None:
    """Decode a question. None: unreadable."""
    if len(content) > limits.SITE_QUESTION_BYTES_MAX:
        return None
    try:
        return packed.read(content, SiteQuestion)
    except packed.Unreadable:
        return None


def read_site(content: bytes) -> SiteAnswer | None:
    """Decode an answer. None: unreadable."""
    try:
        return packed.read(content, SiteAnswer)
    except packed.Unreadable:
        return None


def assembled(bare: SiteAnswer, services: Sequence[bytes]) -> bytes:
    """Encode ``bare`` with as many of the encoded ``services`` as fit."""
    left = limits.SITE_ANSWER_BYTES_MAX - len(packed.pack(bare)) - _HEADERS_BYTES
    kept: list[bytes] = []
    for row in services[: limits.SITE_SERVICES_MAX]:
        left -= len(row)
        if left < 0:
            break
        kept.append(row)
    left_out = bare.left_out + len(services) - len(kept)
    before = map(packed.pack, msgspec.structs.astuple(bare)[:-2])
    return packed.pack_array([*before, packed.pack_array(kept), packed.pack(left_out)])


_HEADERS_BYTES = 16
"""Room for a longer count and a longer array header."""
