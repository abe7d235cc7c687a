"""Why a link ended, when the neighbor ended it. Pure."""

from router.link import control
from router.link.fault import Fault

EXPIRED = "certificate-expired"
"""The refusal code for our certificate when its only fault is that it has expired."""


def printable(text: str) -> str:
    """A peer's text, made safe for a terminal and a log line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def goodbye_of(who: str, message: control.GoAway) -> Fault:
    """The reason that the neighbor, called ``who``, gave."""
    reason = f"{who} closed: {printable(message.reason)}"
    return Fault(printable(message.code), reason, printable(message.hint), message.kind)


def refusal_of_us(fault: Fault) -> Fault:
    """The loss of a lane before the peer's HELLO: a TLS alert means that it refused our
    certificate."""
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
