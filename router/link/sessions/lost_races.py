"""The consequence for a link when none of its endpoints answered correctly. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from router.link.fault import OLD_CERTIFICATE, Fault
from router.link.sessions.race import DialOutcome, listed
from router.link.sessions.session_faults import EXPIRED
from router.net.ports import DialCode, DialFailure

COPY = "identity-conflict"
"""The refusal code for a router that has the identity of another one that is linked."""
_SAY_ALL: Final[frozenset[DialCode]] = frozenset(("clock", "proxy", "exhausted", "error"))
"""Failures whose text includes the next step, or which say nothing about the other end."""
NEIGHBOUR_AT_FAULT = "revocations-damaged"
"""The neighbor admits no site, whatever a token says."""
_WITHOUT_A_TOKEN: Final = (NEIGHBOUR_AT_FAULT, OLD_CERTIFICATE)
"""Refusals that end without another token."""

LinkState = Literal["up", "draining", "connecting", "down", "refused"]
LinkErrorCode = Literal["", "clock", "copy", "proxy", "deleted", "expired", "token"]
"""The kind of error, where more than its text matters."""

_CODES: Final[Mapping[str, LinkErrorCode]] = {COPY: "copy", EXPIRED: "expired"}
"""By the code of a fault."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the link. ``is_final``: all endpoints need a longer pause."""

    state: Literal["down", "refused"]
    error: str
    code: LinkErrorCode
    is_final: bool


def judge(tried: tuple[DialOutcome, ...]) -> Verdict:
    """The verdict on at least one attempt: refused if any endpoint refused, and retried as often as
    the best result allows."""
    verdicts = [_judge_one(one) for one in tried]
    if len(verdicts) == 1:
        return verdicts[0]
    refused = [verdict for verdict in verdicts if verdict.state == "refused"]
    worst = (refused or verdicts)[0]
    error = listed(tried)
    hint = next(filter(None, map(_hint, (one for one in tried if _is(one, worst.state)))), "")
    return Verdict(
        state=worst.state,
        error=f"{error}. {hint}" if hint else error,
        code=_first_code([verdict.code for verdict in verdicts]),
        is_final=all(verdict.is_final for verdict in verdicts),
    )


def _first_code(codes: list[LinkErrorCode]) -> LinkErrorCode:
    """A copy comes first, because it is retried sooner than anything else."""
    return "copy" if "copy" in codes else next(filter(None, codes), "")


def state_after(fault: Fault) -> Literal["down", "refused"]:
    """The state of a link that ended by ``fault``. Refused: another token may help."""
    is_refused = fault.kind == "refused" and fault.code not in _WITHOUT_A_TOKEN
    return "refused" if is_refused else "down"


def code_of(failure: DialFailure) -> LinkErrorCode:
    """The kind of error of a failed dial."""
    if failure.code == "clock":
        return "clock"
    return "proxy" if failure.code == "proxy" else ""


def _is(one: DialOutcome, state: str) -> bool:
    return _judge_one(one).state == state


def _judge_one(one: DialOutcome) -> Verdict:
    trouble = one.trouble
    hint = _hint(one)
    if isinstance(trouble, Fault):
        return Verdict(
            state=state_after(trouble),
            error=str(trouble),
            code=_CODES.get(trouble.code, ""),
            is_final=trouble.kind != "lost",
        )
    if trouble.code == "self":
        error = f"the endpoint is this router itself. {hint}"
    else:
        error = f"{trouble.reason}. {hint}" if hint else trouble.reason
    is_refused = trouble.code in ("self", "clock", "tls", "proxy")
    return Verdict(
        state="refused" if is_refused else "down",
        error=error,
        code=code_of(trouble),
        is_final=is_refused,
    )


def _hint(one: DialOutcome) -> str:
    """The next step, where the failure's text does not say it."""
    if not isinstance(one.trouble, DialFailure) or one.trouble.code in _SAY_ALL:
        return ""
    if one.trouble.code == "self":
        return "Delete the link and create it with the token of another site"
    if one.trouble.code == "tls":
        return "Create the link again with a new token of that site"
    return "Is the neighbor running, and may this host reach it?"
