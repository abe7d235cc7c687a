"""`--platform podman`: a full site on this host whose router podman keeps running.

The same directory as a process site, the same verbs; what differs is ``runtime.yaml``, and that
`init` starts the router at once, as Skupper's does.
"""

from typing import Final

import msgspec
from msgspec import structs

from router.model.addresses import join
from router.model.specs import SiteSpec
from sitectl import output
from sitectl.directory import DirectorySite
from sitectl.failure import conflict, usage
from sitectl.image import stated_image, stated_policy
from sitectl.runtimes import presence, runtime_of
from sitectl.runtimes.planning import HOST_NETWORK
from sitectl.runtimes.spec import (
    RUNTIME_FILE,
    PullPolicy,
    RuntimeSpec,
    read_spec,
    require_words,
    write_spec,
)

ANY_ADDRESS: Final = "0.0.0.0"
IN_CONTAINERS: Final = ("podman", "docker")


class Wish(msgspec.Struct, frozen=True):
    """What `init` was told of the container. None: nothing, it stays as it was."""

    image: str | None = None
    policy: PullPolicy | None = None
    network: str | None = None
    publish: tuple[str, ...] = ()
    publish_ip: str = RuntimeSpec().publish_ip


def placed(spec: SiteSpec, wish: Wish) -> tuple[SiteSpec, Wish]:
    """In a network of its own: there the router listens everywhere, and the host's addresses that

    ``--ingress-bind-ip`` and ``--bind-ip`` name are where podman publishes.
    """
    if wish.network in (None, HOST_NETWORK):
        return spec, wish
    links = spec.ingress_bind_ip.strip("[]")
    publish = wish.publish
    if spec.ingress != "none" and links not in ("", "::", ANY_ADDRESS):
        publish += (f"{join(links, spec.bind_port)}:{spec.bind_port}",)
    inside = structs.replace(spec, ingress_bind_ip=ANY_ADDRESS, bind_ip=ANY_ADDRESS)
    return inside, structs.replace(wish, publish=publish, publish_ip=spec.bind_ip.strip("[]"))


def run_in_podman(site: DirectorySite, wish: Wish, timeout_s: float) -> bool:
    """Say that podman runs the site's router, and have it so. False: it was, and runs already.

    What no flag says stays as it was. Failure: a router of it runs outside of podman.
    """
    before = read_spec(site)
    if before.kind != "podman" and presence.is_running(site):
        raise conflict(
            f"the router of {site.name!r} runs already, and not by podman ({before.kind})",
            f"sitectl --site {site.name} stop",
        )
    if before.kind not in ("process", "podman"):
        raise conflict(
            f"the router of {site.name!r} is run by {before.kind}, not by podman",
            f"sitectl --site {site.name} delete, or edit {site.directory / RUNTIME_FILE}",
        )
    spec = structs.replace(with_flags(before, wish.image, wish.policy), kind="podman")
    if wish.network is not None:
        spec = structs.replace(
            spec, network=wish.network, publish=wish.publish, publish_ip=wish.publish_ip
        )
    require_words(site, spec)
    if spec != before:
        write_spec(site, spec)
    return runtime_of(site).start(timeout_s) or spec != before


def update(
    site: DirectorySite,
    image: str | None,
    policy: PullPolicy | None,
    timeout_s: float,
    *,
    force: bool,
) -> bool:
    """Have the router be of another image, or begin anew. False: it is so already."""
    before = read_spec(site)
    if before.kind not in IN_CONTAINERS:
        raise usage(
            f"the router of {site.name!r} runs without a container; its settings are in its "
            "document",
            "Edit config/site-NAME.yaml, it counts at once; for another version install that",
        )
    spec = with_flags(before, image, policy)
    require_words(site, spec)
    if spec != before:
        write_spec(site, spec)
    runtime = runtime_of(site)
    if force:
        runtime.stop(timeout_s)
    return runtime.start(timeout_s)


def with_flags(before: RuntimeSpec, image: str | None, policy: PullPolicy | None) -> RuntimeSpec:
    """``before`` with what the flags say, else the environment; what neither says stays."""
    return structs.replace(
        before,
        image=stated_image(image) or before.image,
        pull_policy=stated_policy(policy) or before.pull_policy,
    )


def tell(site: DirectorySite) -> None:
    """What to type next, after the first start."""
    output.note(f"Next: sitectl --site {site.name} token create FILE, for who shall link here")
