"""Flags that say what a site is: the fields of a Site document, and every key of Skupper's site.

On Kubernetes they become keys of ConfigMap ``skupper-site``. A process site takes those it has a
use for; of the others it says in one line why it has none.
"""

from collections.abc import Iterable
from typing import Any, Final

import click

from sitectl.base.options import Decorated, Duration, flag_group
from sitectl.flags.rows import keys_of, remember, row_flags, typed
from sitectl.flags.sites.peer import peer_flag
from sitectl.site.workers import workers_flag

_NO_PODS = "not needed here, a process site has no pods"
_BUILT_IN = "not needed here, it is built in"
_CONSOLE = ""  # Used: `sitectl.flags.sites.console`.
_ONE_PORT = "not needed here, links and edges share one port"
_NO_AMQP = "not needed here, links are not AMQP connections"
ROUTER_MODES = ("interior", "edge")

_CONTAINERS = ("router", "controller", "config-sync", "flow-collector", "prometheus-server")
_AMOUNTS = ("cpu", "memory", "cpu-limit", "memory-limit")
_RULES = ("pod-affinity", "pod-antiaffinity", "node-selector")

_TEXTS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("labels", "annotations", "ingress-annotations", "annotation-separator"),
            *("console-ingress", "run-as-user", "run-as-group", "router-logging"),
            *("router-debug-mode", "router-ingress-host", "router-load-balancer-ip"),
            *("router-service-annotations", "router-pod-annotations"),
            *("controller-ingress-host", "controller-load-balancer-ip"),
            *("controller-service-annotations", "controller-pod-annotations"),
            *("prometheus-server-pod-annotations", "container-network", "podman-endpoint"),
            *(f"{part}-{amount}" for part in _CONTAINERS for amount in _AMOUNTS),
            *(f"{part}-{rule}" for part in ("router", "controller") for rule in _RULES),
        ),
        _NO_PODS,
    ),
    **dict.fromkeys(
        (
            *("flow-collector-record-ttl", "prometheus-external-server"),
            *("prometheus-server-authentication", "prometheus-server-user"),
            "prometheus-server-password",
        ),
        _BUILT_IN,
    ),
    **dict.fromkeys(("console-auth", "console-user", "console-password"), _CONSOLE),
    **dict.fromkeys(("bind-port-edge", "bind-port-flow-collector"), _ONE_PORT),
    **dict.fromkeys(
        (
            *("router-data-connection-count", "xp-router-max-frame-size"),
            "xp-router-max-session-frames",
        ),
        _NO_AMQP,
    ),
}
"""Flags with a value that mean something on Kubernetes alone: why a process site needs none."""
_SWITCHES: Final[dict[str, str]] = {
    "enable-flow-collector": _BUILT_IN,
    "enable-rest-api": _BUILT_IN,
    "enable-controller": _BUILT_IN,
    "enable-router-console": _BUILT_IN,
    "enable-console": _CONSOLE,
    "enable-cluster-permissions": _NO_PODS,
    "enable-skupper-events": _NO_PODS,
    "create-network-policy": _NO_PODS,
    "enable-ipv6": _NO_PODS,
    "router-disable-mutual-tls": "refused: links are mutual TLS, always",
    "router-drop-tcp-connections": "not needed here, connections are drained",
    "adopt-services": _NO_PODS,
    "rewrite-selectors": _NO_PODS,
}
_PODMAN: Final[dict[str, str]] = {
    "container-network": "",  # Used.
    "podman-endpoint": "not needed here, podman is run as a command, not asked over its service",
    "enable-ipv6": "not needed here, IPv6 is on where the host or the container network has it",
}
"""The refusals of flags on a podman site; no entry: it uses the flag."""
_SHOWN: Final[dict[str, str]] = {
    "enable-console": "Serve the console: a page for browsers (docs/console.md).",
    "console-auth": "Login of the console: internal (users and passwords), openshift, or "
    "unsecured (any user, on loopback only).",
    "console-user": "Name of the console's user. [default: admin]",
    "console-password": "Password of the console's user; prefer --console-password-file. "
    "[default: random]",
    "adopt-services": "Adopt existing Services without a further request.",
    "rewrite-selectors": "Change the selectors of adopted Services; --no-: never, for GitOps "
    "tools.",
    "create-network-policy": "Allow only links, and clients of this namespace.",
    "container-network": "On podman: network of the router instead of the host's.",
    "router-cpu": "CPU request. See also --router-memory, --router-cpu-limit, "
    "--router-memory-limit.",
    "labels": "Labels of the site's ConfigMap and all its objects: a=b,c=d.",
    "ingress-annotations": "Annotations of the Route or Ingress.",
}
_KEYS: Final[dict[str, str]] = {
    "site-name": "name",
    "enable-console": "console",
    "enable-rest-api": "rest-api",
    "enable-router-console": "router-console",
    "enable-flow-collector": "flow-collector",
    "enable-controller": "service-controller",
    "enable-cluster-permissions": "cluster-permissions",
    "enable-service-sync": "service-sync",
    "console-auth": "console-authentication",
}
"""By flag: the key of ``skupper-site`` where it is called otherwise."""
_NO_KEYS: Final = ("labels", "annotations", "container-network", "podman-endpoint", "enable-ipv6")


def key_flags(function: Decorated) -> Decorated:
    """Give a verb a flag for every key of ``skupper-site``; `given_keys` returns the given ones."""
    for name in (*reversed(_TEXTS), *reversed(_SWITCHES)):
        function = click.option(
            f"--{name}/--no-{name}" if name in _SWITCHES else f"--{name}",
            default=None,
            expose_value=False,
            callback=remember,
            hidden=name not in _SHOWN,
            help=_SHOWN.get(name),
        )(function)
    return function


site_flags = flag_group(
    key_flags,
    click.option(
        "--router-mode",
        type=click.Choice(ROUTER_MODES),
        default="interior",
        help="Role in the network; edge: one link, no part in routing.",
    ),
    click.option(
        "--ingress",
        help="none: no link is accepted (private site). On Kubernetes loadbalancer, nodeport, "
        "route, ingress, nginx-ingress-v1, contour-http-proxy or none. [default: host; on "
        "Kubernetes route where there are Routes, else loadbalancer]",
    ),
    click.option(
        "--ingress-host",
        "ingress_hosts",
        metavar="HOST[:PORT]",
        multiple=True,
        help="Address that other sites dial; it is written into tokens.",
    ),
    click.option(
        "--ingress-bind-ip",
        help="Address that accepts links. [default: 0.0.0.0; the loopback address that"
        " --ingress-host or else --bind-ip names]",
    ),
    click.option("--bind-port", type=click.IntRange(1, 65_535), default=55671, help="For links."),
    click.option("--bind-ip", help="Address of the services' listeners. [default: 127.0.0.1]"),
    click.option(
        "--enable-service-sync/--no-enable-service-sync",
        default=True,
        help="Open listeners for services of other sites.",
    ),
    click.option(
        "--service-sync-site-ttl",
        type=Duration(),
        default="180s",
        help="How long services of a site that is out of reach keep their listeners.",
    ),
    click.option(
        "--admin", metavar="HOST:PORT", default="", help="Address of the admin API over TCP."
    ),
    workers_flag("Number of processes of its router on this host; auto: one for each core."),
    peer_flag("Another router of this same site, on hosts; a name means all its addresses."),
    row_flags("Site"),
    click.option(
        "--routers",
        type=click.IntRange(0, 1_000),
        default=1,
        help="Number of the site's routers, on Kubernetes.",
    ),
)
"""Give a verb the flags of a Site document."""


def given(ctx: click.Context) -> dict[str, str]:
    """By flag, without its dashes: the texts of the flags of `key_flags` that were typed."""
    return {name: text for name, text in typed(ctx).items() if name in _TEXTS or name in _SWITCHES}


def without_use(ctx: click.Context, *, podman: bool = False) -> Iterable[str]:
    """Messages of a site in a directory on flags without effect."""
    texts = _TEXTS | _SWITCHES | (_PODMAN if podman else {})
    for name, text in given(ctx).items():
        if text != "false" and texts[name]:
            yield f"--{name}: {texts[name]}"


def given_keys(ctx: click.Context) -> dict[str, str]:
    """The keys of ``skupper-site`` that the flags state, with their texts."""
    keys = {_KEYS.get(name, name): text for name, text in given(ctx).items()}
    for param in ctx.command.params:
        key = _FIELD_KEYS.get(param.name or "")
        source = ctx.get_parameter_source(param.name or "")
        if key is None or source in (None, click.core.ParameterSource.DEFAULT):
            continue
        text = _text(ctx.params[param.name or ""])
        if text:
            keys[key] = text
    return {key: text for key, text in keys.items() if key not in _NO_KEYS} | keys_of("Site")


_FIELD_KEYS: Final = {
    "router_mode": "router-mode",
    "ingress": "ingress",
    "ingress_hosts": "ingress-host",
    "enable_service_sync": "service-sync",
    "service_sync_site_ttl": "service-sync-site-ttl",
    "proxy_url": "link-proxy",
    "routers": "routers",
}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(value[0]) if value else ""
    return f"{value:g}s" if isinstance(value, float) and value > 1 else f"{value}"


def pairs(text: str) -> dict[str, str]:
    """``a=b,c=d`` as a table; click.BadParameter for anything else."""
    found: dict[str, str] = {}
    for word in filter(None, text.split(",")):
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{word!r}: expected NAME=VALUE")
        found[key.strip()] = value.strip()
    return found
