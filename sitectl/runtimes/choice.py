"""Choosing what keeps the router of a full site running: nothing, systemd, or podman.

The runtimes share the same directory and the same verbs; only ``runtime.yaml`` differs. With
``--platform podman`` `init` starts the router at once, as Skupper's does.
"""

from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import structs

from router.model.addresses import join, split
from router.model.specs import SiteSpec
from sitectl.base.failure import Failure, conflict, usage
from sitectl.runtimes import presence, runtime_of
from sitectl.runtimes.image import ImageFlags, stated_image, stated_policy
from sitectl.runtimes.manager import own_scope
from sitectl.runtimes.spec import HOST_NETWORK, IN_CONTAINERS, RUNTIME_FILE, RuntimeSpec
from sitectl.runtimes.spec_file import read_spec, require_words, write_spec
from sitectl.site.directory import DirectorySite

RunBy = Literal["process", "systemd"]
_EVERYWHERE: Final = "0.0.0.0"


def run_by(site: DirectorySite, kind: RunBy, timeout_s: float) -> bool:
    """From its next start on ``kind`` keeps the router running. False: it does already.

    Root's unit is of the system manager, another user's of that user's. Failure: the router runs.
    """
    before = read_spec(site)
    if before.kind == kind:
        return False
    if presence.is_running(site):
        raise conflict(
            f"the router of {site.name!r} runs, by {before.kind}",
            f"sitectl --site {site.name} stop, then the same again",
        )
    runtime_of(site).remove(timeout_s)
    if kind == "process":
        write_spec(site, RuntimeSpec())
    else:
        name = f"spillway-{site.name}"
        write_spec(site, RuntimeSpec(kind=kind, name=name, scope=own_scope()))
    return True


class ContainerWish(msgspec.Struct, frozen=True):
    """The container flags of `init`. None: not given, the setting stays."""

    image: ImageFlags = ImageFlags()
    network: str | None = None
    publish: tuple[str, ...] = ()
    publish_ip: str = RuntimeSpec().publish_ip


def placed(spec: SiteSpec, wish: ContainerWish) -> tuple[SiteSpec, ContainerWish]:
    """The settings for a container with its own network: the router listens everywhere in it, and
    podman publishes at the host's addresses of ``--ingress-bind-ip`` and ``--bind-ip``.
    """
    if wish.network in (None, HOST_NETWORK):
        return spec, wish
    links = spec.ingress_bind_ip.strip("[]")
    publish = wish.publish
    if spec.ingress != "none" and links not in ("", "::", _EVERYWHERE):
        publish += (f"{join(links, spec.bind_port)}:{spec.bind_port}",)
    inside = structs.replace(spec, ingress_bind_ip=_EVERYWHERE, bind_ip=_EVERYWHERE)
    if spec.console is not None:  # By TLS then; podman publishes it where services are.
        port = split(spec.console.bind)[1]
        console = structs.replace(spec.console, bind=join(_EVERYWHERE, port))
        inside = structs.replace(inside, console=console)
    return inside, structs.replace(wish, publish=publish, publish_ip=spec.bind_ip.strip("[]"))


def run_in_podman(site: DirectorySite, wish: ContainerWish, timeout_s: float) -> bool:
    """Say that podman runs the site's router, and have it so. False: it was, and runs already."""
    is_changed = keep_in_podman(site, wish)
    return runtime_of(site).start(timeout_s) or is_changed


def keep_in_podman(site: DirectorySite, wish: ContainerWish) -> bool:
    """From its next start on podman runs the site's router. False: nothing has changed.

    Settings without a flag stay. Failure: the site's router runs outside of podman.
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
    spec = structs.replace(with_flags(before, wish.image), kind="podman")
    if wish.network is not None:
        spec = structs.replace(
            spec, network=wish.network, publish=wish.publish, publish_ip=wish.publish_ip
        )
    require_words(site, spec)
    if spec != before:
        write_spec(site, spec)
    return spec != before


def _document_file(site: DirectorySite) -> Path:
    found = site.find("Site", site.name)
    return site.directory / found.source if found is not None else site.config


def update(site: DirectorySite, image: ImageFlags, timeout_s: float, *, force: bool) -> bool:
    """Run the router from another image, or restart it. False: nothing to change.

    Failure: the image cannot be had. The router and its image setting stay as they are.
    """
    before = read_spec(site)
    if before.kind not in IN_CONTAINERS:
        raise usage(
            f"the router of {site.name!r} runs without a container; its settings are in its "
            "document",
            f"Edit {_document_file(site)}, it counts at once; for another version install that",
        )
    spec = with_flags(before, image)
    require_words(site, spec)
    if spec != before:
        write_spec(site, spec)
    runtime = runtime_of(site)
    if spec != before or force:
        try:
            runtime.fetch()  # Before the router that runs is stopped.
        except Failure:
            write_spec(site, before)
            raise
    if force:
        runtime.stop(timeout_s)
    return runtime.start(timeout_s)


def with_flags(before: RuntimeSpec, flags: ImageFlags) -> RuntimeSpec:
    """``before`` with what the flags say, else the environment; what neither says stays."""
    return structs.replace(
        before,
        image=stated_image(flags.image) or before.image,
        pull_policy=stated_policy(flags.image_pull_policy) or before.pull_policy,
    )
