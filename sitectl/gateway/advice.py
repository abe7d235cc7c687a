"""Commands for a gateway in place of the router's advice, which is for sites."""

import contextlib
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sitectl.base.advice import Place
from sitectl.base.failure import Failure
from sitectl.gateway.home import HostGateway
from sitectl.site.directory import DirectorySite

NOT_LINKED: Final = "SW0635"
_REFUSED, _NOT_UP, _NO_LISTENER = "SW0404", "SW0401", "SW0202"
_ALLOW_LOW_PORTS: Final = "sysctl net.ipv4.ip_unprivileged_port_start=80"
_OF_NO_GATEWAY: Final = r"(?=gateway |link create|token create)"


def advised(gateway: HostGateway, item: Mapping[str, Any]) -> list[dict[str, str]]:
    """The problems of ``item`` (`gateway_status.item_of`), each with what to type on this host."""
    problems = [{**one, "hint": _hint(gateway, item, one)} for one in item["problems"]]
    link = item["link"]
    is_told = any(one["code"] == _REFUSED or one["message"] == link["error"] for one in problems)
    is_asked = item["state"] not in ("stopped", "unreachable")
    if is_asked and link["state"] != "up" and link["error"] and not is_told:
        problems.append(
            {
                "code": NOT_LINKED,
                "message": f"it is not linked to its site: {link['error']}",
                "hint": "The link is tried again by itself: "
                f"sitectl gateway status {gateway.name} --wait 30",
            }
        )
    return problems


def here(site: DirectorySite, hint: str) -> str:
    """``hint``, whose commands for this site are for one on this host, for the gateway in
    ``site``. Commands for other sites stay as they are.
    """
    name, state = site.name, str(site.directory.parent)
    place = f"sitectl --state {shlex.quote(state)} --site {name} "
    unnamed = hint.replace(f"sitectl --site {name} ", "sitectl ")
    here = Place({"--state": state, "--site": name}, is_namespace=False).completed(unnamed)
    started = here.replace(f"{place}start", f"sitectl gateway init --name {name}")
    host = f"sitectl --state {shlex.quote(str(site.directory.parent.parent))} "
    return re.sub(f"(?:{re.escape(place)}|{re.escape(host)}){_OF_NO_GATEWAY}", "sitectl ", started)


@contextlib.contextmanager
def naming(site: DirectorySite) -> Iterator[None]:
    """A Failure within advises commands for the gateway in ``site``, not for a site."""
    try:
        yield
    except Failure as failure:
        failure.hint = here(site, failure.hint)
        raise


def to_link_again(gateway: HostGateway, *, was_linked: bool) -> str:
    """How a gateway whose site refused it comes back. An identity that was barred stays barred."""
    name = gateway.name
    if not was_linked:
        return (
            f"There: sitectl token create {name}.yaml; and here: "
            f"sitectl gateway init --name {name} --token {name}.yaml"
        )
    return f"As {_as_another(name)}"


def _as_another(name: str) -> str:
    return (
        f"another gateway: sitectl gateway export-config {name}.yaml --name {name} && "
        f"sitectl gateway delete --name {name}, then sitectl gateway init --config {name}.yaml "
        "with its --type"
    )


def is_kept_out(link: Mapping[str, Any]) -> bool:
    """Whether its site keeps a gateway with this ``link`` out, as another has the same identity."""
    return bool(link["error_code"] == "copy")


def _hint(gateway: HostGateway, item: Mapping[str, Any], problem: Mapping[str, str]) -> str:
    if problem["code"] == _REFUSED:
        was_linked = item["link"]["certificate_expires"] is not None
        return to_link_again(gateway, was_linked=was_linked)
    if problem["code"] == _NOT_UP and is_kept_out(item["link"]):
        another = f"{_as_another(gateway.name)}, and another name in that file"
        return f"Stop one of the two; if both should stay, this one as {another}"
    if problem["code"] == _NO_LISTENER:
        for row in item["forwards"]:
            if row["error"] and row["error"] in problem["message"]:
                other = f"sitectl gateway forward {row['service']} PORT --name {gateway.name}"
                if "Permission denied" in row["error"]:
                    return f"Take a port from 1024 on: {other}; or, as root: {_ALLOW_LOW_PORTS}"
                return f"Free the port, or take another: {other}"
    return here(gateway.site, problem.get("hint", ""))
