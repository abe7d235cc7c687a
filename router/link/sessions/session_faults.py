"""Why a link ended, when it was the neighbour that ended it. Pure."""

from router.link import control
from router.link.fault import Fault

EXPIRED = "certificate-expired"
"""The code of a refusal of our certificate for its end alone."""


def printable(text: str) -> str:
    """Text of a peer, fit for a terminal and a log line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def goodbye_of(who: str, message: control.GoAway) -> Fault:
    """What the neighbour, called ``who``, gave as its reason."""
    reason = f"{who} closed: {printable(message.reason)}"
    return Fault(printable(message.code), reason, printable(message.hint), message.kind)


def refusal_of_us(fault: Fault) -> Fault:
    """Before the peer's HELLO: a TLS alert is how it refuses our certificate."""
    if fault.code == "connection-expired":
        return Fault(
            EXPIRED,
            "the neighbor did not accept our certificate, which has expired by its clock",
            "If it has ended here too, sitectl link renew asks for another one; if not, the clocks "
            "differ: compare `date -u` on both hosts",
            "refused",
        )
    if fault.code != "connection-tls":
        return fault
    return Fault(
        "certificate-refused",
        f"the neighbor did not accept our certificate ({fault.reason})",
        "It may be revoked or of another network: create the link with a new token",
        "refused",
    )
