"""docs/reference-api.md: the routes of `router/admin`, and the structs that they answer with."""

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

import router.admin
from router.admin.answers import ErrorView
from router.admin.api import Command
from router.admin.endpoints.access import AccessView
from router.admin.endpoints.debug import DebugView
from router.admin.endpoints.graph import GraphView
from router.admin.endpoints.names import NameView
from router.admin.endpoints.rebalance import RebalanceView
from router.admin.views import flow as flow_views
from router.admin.views import history as history_views
from router.admin.views import live as live_views
from router.admin.views import ping as ping_views
from router.admin.views import site as site_views
from router.admin.views import traffic as traffic_views
from router.admin.views.bursts import BurstView, ScaleView
from router.admin.views.links import LinkView, SiteView
from router.admin.views.services import ServiceView
from router.admin.views.status import CaView, Status
from router.admin.views.what_if import WhatIf, WhatIfView
from router.admin.views.why import PastDecision, WhyView
from router.model import limits
from router.model.events import Event

ADMIN: Final = Path(next(iter(router.admin.__path__)))
_ROUTE: Final = re.compile(r"\broutes\.add_(get|post|put|patch|delete)\(\s*\"([^\"]+)\"")


class Route(msgspec.Struct, frozen=True):
    """``shape``: of the item, or of each of the items; None: it answers with something else."""

    text: str
    shape: type[msgspec.Struct] | None = None
    many: bool = False
    query: str = ""
    body: type[msgspec.Struct] | None = None


V1: Final = "/api/v1/"
ROUTES: Final = {
    "GET /healthz": Route("200 while the event loop turns"),
    "GET /readyz": Route(
        "200 when listeners are bound; 503 says which service's are not", query="`service`"
    ),
    "GET /metrics": Route("for Prometheus: [metrics](reference-metrics.md)"),
    f"GET {V1}status": Route("the site in a few figures, with its problems", Status),
    f"GET {V1}live": Route(
        "one consistent picture of all; as `text/event-stream` one each second", live_views.Live
    ),
    f"GET {V1}links": Route("links of both directions", LinkView, many=True),
    f"GET {V1}services": Route("services with their sites and targets", ServiceView, many=True),
    f"GET {V1}services/{{name}}": Route(
        "one, each of its ports, with the targets of other sites", ServiceView, many=True
    ),
    f"GET {V1}services/{{name}}/scale": Route("what an autoscaler goes by", ScaleView),
    f"GET {V1}services/{{name}}/rebalance": Route(
        "connections that the policy would place elsewhere now; moves none",
        RebalanceView,
        many=True,
    ),
    f"GET {V1}network": Route("all sites", SiteView, many=True),
    f"GET {V1}sites/{{site}}": Route("what another site tells of itself", site_views.SiteDetail),
    f"GET {V1}ping/{{site}}": Route(
        "the way to a site, measured", ping_views.PingView, query="`count` 1 to 10, `via` LINK"
    ),
    f"GET {V1}why/{{name}}": Route(
        "where the next request goes, and why; with `last`, `denied` or `failed` of those that are "
        "over: [PastDecision](#pastdecision)",
        WhyView,
        query="`cookie`, `header`, `client`; `last` N, `denied` 0 or 1, `failed` 0 or 1",
    ),
    f"GET {V1}names": Route("who owns which name of a service", NameView, many=True),
    f"GET {V1}names/{{name}}": Route("one of them", NameView),
    f"GET {V1}access": Route(
        "who may declare, offer and call what, by whose word, until when",
        AccessView,
        query="`service` NAME",
    ),
    f"POST {V1}traffic/{{name}}": Route(
        "one real request of NAME or NAME:PORT by each site that has targets; not by a console",
        traffic_views.TrafficView,
    ),
    f"GET {V1}flows": Route(
        "requests and connections that came in here, newest first; as `text/event-stream` new ones",
        flow_views.FlowView,
        many=True,
        query=f"`service`, `outcome`, `site`, `count` 1 to {limits.FLOWS_COUNT_MAX}",
    ),
    f"GET {V1}flows/{{number}}": Route("one, with its decision", flow_views.FlowDetail),
    f"GET {V1}graph": Route(
        "who calls which service here, and which site serves it: [graph](graph.md)",
        GraphView,
        query="`history` true or false",
    ),
    f"GET {V1}history": Route(
        "the last quarter of an hour of services, here (without `service` also of those that are "
        "gone) or at another site",
        history_views.ServiceHistory,
        many=True,
        query="`service` NAME[:PORT], `site`",
    ),
    f"GET {V1}knees": Route(
        "latency by requests in flight", history_views.KneeView, many=True, query="`service`"
    ),
    f"GET {V1}events": Route(
        "what happened, oldest first; as `text/event-stream` what happens: [events](events.md)",
        Event,
        many=True,
        query="`since`, `after`, `severity`, `service`, `code`, `kind`, `count`",
    ),
    f"GET {V1}tokens": Route("tokens that this site made", live_views.TokenView, many=True),
    f"GET {V1}bursts": Route("burst hooks", BurstView, many=True),
    f"GET {V1}ca": Route("the site's certificate authority", CaView),
    f"GET {V1}debug": Route("what a maintainer asks for, without secrets", DebugView),
    f"POST {V1}simulate": Route(
        "body: a scenario as YAML; answers as `sitectl simulate -o json` ([simulate](simulate.md))"
    ),
    f"POST {V1}what-if": Route(
        "the last minutes' requests under other figures; changes nothing", WhatIfView, body=WhatIf
    ),
    f"POST {V1}commands": Route(
        "an order, as `sitectl` gives it: no promise, use `sitectl`", body=Command
    ),
}
HEAD: Final = """# The API of a router

JSON over HTTP/1.1. `sitectl -o json` prints the same answers. Made from the code; what may change:
[releases](releases.md).

| where | who |
|---|---|
| `run/admin.sock` in the site's directory, mode 0600 | the site's user: all of it |
| `--admin HOST:PORT` of a site | who has the bearer credential: all; two probes without |
| the [console](console.md), after login | reading only: no `POST /api/v1/commands` |

An answer is `{"apiVersion": "spillway/v1", "kind": KIND, "item": {…}}` or `"items": […]`; an error
is an [object of its own](#errorview) with a status of 400 and above. Fields are added at any time:
skip what you do not know. `?` may be null.

```sh
curl -s --unix-socket ~/.local/share/spillway/west/run/admin.sock http://site/api/v1/status
```

## Routes

| route | query | answers | |
|---|---|---|---|
"""


def found() -> set[str]:
    """The routes in the source of `router/admin`, but the console's own pages."""
    sources = (
        path for path in ADMIN.rglob("*.py") if "console" not in path.relative_to(ADMIN).parts
    )
    return {
        f"{verb.upper()} {path}"
        for source in sources
        for verb, path in _ROUTE.findall(source.read_text("utf-8"))
    }


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for name, route in ROUTES.items():
        shape = _link(route.shape) if route.shape else ""
        answers = f"items: {shape}" if route.many else shape
        text = route.text + (f"; body: {_link(route.body)}" if route.body else "")
        lines += [f"| `{name}` | {route.query} | {answers} | {text} |\n"]
    lines += ["\n## Shapes\n"]
    shown: dict[str, type[msgspec.Struct]] = {}
    for route in ROUTES.values():
        for one in (route.shape, route.body):
            _collect(one, shown)
    _collect(PastDecision, shown)
    _collect(ErrorView, shown)
    for name in sorted(shown):
        lines += _shape(shown[name])
    return "".join(lines)


def _link(struct: type[msgspec.Struct]) -> str:
    return f"[{struct.__name__}](#{struct.__name__.lower()})"


def _collect(hint: Any, into: dict[str, type[msgspec.Struct]]) -> None:
    """A struct and all that its fields hold."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        assert into.setdefault(hint.__name__, hint) is hint, hint
        for part in _hints(hint).values():
            for one in _structs(part):
                if one.__name__ not in into:
                    _collect(one, into)


def _hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(struct)
    return {one.encode_name: hints[one.name] for one in msgspec.structs.fields(struct)}


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in get_args(hint):
        yield from _structs(part)


def _shape(struct: type[msgspec.Struct]) -> Iterator[str]:
    # From 3.13 on the compiler takes the indentation away: the same page on every Python.
    paragraphs = cleandoc(struct.__doc__ or "").split("\n\n")
    said = "\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
    said = re.sub(r"``([^`]*)``", r"`\1`", said)
    yield f"\n### {struct.__name__}\n\n{said}\n\n"
    yield "| field | type |\n|---|---|\n"
    for name, hint in _hints(struct).items():
        yield f"| `{name}` | {_kind(hint)} |\n"


def _kind(hint: Any) -> str:
    if hint is type(None):
        return "null"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _link(hint)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " \\| ".join(f"`{part}`" for part in parts)
    if origin is dict:
        return f"object of {_kind(parts[1])}"
    if origin in (tuple, list):
        inner = [_kind(part) for part in parts if part is not Ellipsis]
        same = len(parts) == 1 or parts[-1] is Ellipsis or len(set(inner)) == 1
        return f"list of {inner[0]}" if same else f"list: {', '.join(inner)}"
    if origin is Union or type(hint).__name__ == "UnionType":
        kinds = dict.fromkeys(_kind(part) for part in parts if part is not type(None))
        return " or ".join(kinds) + ("?" if type(None) in parts else "")
    return {int: "number", float: "number", bool: "true \\| false", str: "text"}.get(hint, "any")
