"""Session affinity on the command line: the flag, and sentences about it."""

import re
from typing import Any

from router.model.settings import TOKEN_PATTERN, Affinity
from router.model.specs import ServiceSpec
from sitectl.base import output
from sitectl.base.failure import usage

AFFINITY_HELP = "Session affinity: cookie[:NAME], header:NAME, client or none."


def affinity_of(text: str) -> Affinity | None:
    """The affinity that ``--affinity`` means; None: ``none``. Failure: it means nothing."""
    by, colon, name = text.partition(":")
    if colon and re.match(TOKEN_PATTERN, name) is None:
        raise usage(f"--affinity {text!r}: {name!r} is not a name of a cookie or header field")
    if by == "cookie":
        return Affinity(by="cookie", name=name)
    if by == "header" and name:
        return Affinity(by="header", name=name)
    if text == "client":
        return Affinity(by="client")
    if text == "none":
        return None
    raise usage(f"--affinity {text!r}: expected cookie[:NAME], header:NAME, client or none")


def require_sessions_fit(spec: ServiceSpec) -> None:
    """Raise Failure when the service's protocol does not show what makes its sessions."""
    affinity = spec.affinity
    if affinity is not None and affinity.by != "client" and spec.protocol == "tcp":
        raise usage(
            f"affinity by {affinity.by} needs protocol http: a tcp connection shows none",
            "Use --affinity client, or --protocol http",
        )


def require_address(client: str) -> None:
    """Raise Failure unless ``client`` can be a client's address: no session is of another."""
    from router.documents.addresses import is_ip

    if not is_ip(client):
        raise usage(f"--client {client!r} is not an IP address", "For example --client 10.0.0.9")


def affinity_text(affinity: dict[str, Any] | None) -> str:
    """The source of sessions, in the words of the flag; ``-``: none."""
    if not affinity:
        return "-"
    name = affinity.get("name")
    return f"{affinity.get('by')}:{name}" if name else str(affinity.get("by"))


def sentences(item: dict[str, Any]) -> str:
    """How sessions are handled, and where the one asked about is: lines for `why`."""
    affinity = item.get("affinity")
    if not affinity:
        return ""
    by, name = affinity.get("by"), output.safe(affinity.get("name"))
    what = "the client's address" if by == "client" else f"{by} {name}"
    text = (
        f"Sessions: requests alike in {what} stay at the site that served them last, and there "
        "at one target, while both have room."
    )
    session = item.get("session")
    if session:
        site, target = session.get("site"), session.get("target")
        place = f"is at {output.safe(site)}" if site else "is at no site yet that is known here"
        text += f"\nSession {output.safe(session.get('key'))} {place}"
        text += f"; its target here is {output.safe(target)}." if target else "."
    return text
