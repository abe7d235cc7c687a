"""`--platform podman`: a full site on this host whose router podman keeps running.

The same directory as a process site, the same verbs; what differs is ``runtime.yaml``, and that
`init` starts the router at once, as Skupper's does.
"""

from typing import Final

import msgspec

from router.model.specs import SiteSpec
from sitectl import output
from sitectl.directory import DirectorySite
from sitectl.failure import conflict, usage
from sitectl.image import stated_image, stated_policy
from sitectl.runtimes import presence, runtime_of
from sitectl.runtimes.planning import HOST_NETWORK
from sitectl.runtimes.spec import RUNTIME_FILE, PullPolicy, RuntimeSpec, read_spec, write_spec

ANY_ADDRESS: Final = "0.0.0.0"
IN_CONTAINERS: Final = ("podman", "docker")


def reachable(spec: SiteSpec, network: str | None, *, bind_ip_given: bool) -> SiteSpec:
    """The site's settings; in a network of its own a listener on loopback would reach nobody."""
    if network in (None, HOST_NETWORK) or bind_ip_given:
        return spec
    return msgspec.structs.replace(spec, bind_ip=ANY_ADDRESS)


def run_in_podman(
    site: DirectorySite,
    image: str | None,
    policy: PullPolicy | None,
    network: str | None,
    timeout_s: float,
) -> bool:
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
    spec = with_flags(before, image, policy)
    spec = msgspec.structs.replace(spec, kind="podman", network=network or before.network)
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
    if spec != before:
        write_spec(site, spec)
    runtime = runtime_of(site)
    if force:
        runtime.stop(timeout_s)
    return runtime.start(timeout_s)


def with_flags(before: RuntimeSpec, image: str | None, policy: PullPolicy | None) -> RuntimeSpec:
    """``before`` with what the flags say, else the environment; what neither says stays."""
    return msgspec.structs.replace(
        before,
        image=stated_image(image) or before.image,
        pull_policy=stated_policy(policy) or before.pull_policy,
    )


def tell(site: DirectorySite) -> None:
    """What to type next, after the first start."""
    output.note(f"Next: sitectl --site {site.name} token create FILE, for who shall link here")
