"""What a bundle holds: its files by name, rendered from values. Pure.

The container is rendered by the same functions as a gateway's that was made on this host
(`sitectl.runtimes.container`, `.quadlet`); what only the other host knows stands in the text as a
mark, which ``launch.sh`` replaces.
"""

import shlex
from collections.abc import Mapping
from typing import Final

import msgspec

from sitectl.runtimes.container import (
    DIRECTORY_LABEL,
    PLAN_LABEL,
    Container,
    Engine,
    direct_words,
)
from sitectl.runtimes.host import ROUTER_UID
from sitectl.runtimes.quadlet import quadlet_text, unit_text
from sitectl.runtimes.spec import PullPolicy, RuntimeSpec, Scope

DIRECTORY_MARK: Final = "/@THE DIRECTORY@"
"""Stands for the site's directory: with a space, so that it is quoted wherever that is needed."""
OWNER_MARK: Final = "@UID@:@GID@"
PODMAN_MARK: Final = "@PODMAN@"
PLAN_MARK: Final = "@PLAN@"
LINK: Final = "site"
"""The one link of a gateway."""
SUMS: Final = "SHA256SUMS"
IMAGE_ARCHIVE: Final = "image.tar"


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle. ``name`` is the gateway's; ``site`` who it links to, ``revoke`` what to type there.

    ``expires``: when its credential ends, for people. ``image_digest``: of the configuration of the
    image in the archive, hex; empty: there is no archive. ``version`` made it.
    """

    name: str
    site: str
    site_id: str
    expires: str
    revoke: str
    is_claim: bool
    image: str
    image_digest: str = ""
    pull_policy: PullPolicy = "missing"
    low_ports: bool = False
    stop_s: int = 45
    version: str = ""

    @property
    def unit(self) -> str:
        """The name of its container and its unit."""
        return f"spillway-{self.name}"


def container_files(bundle: Bundle) -> dict[str, str]:
    """Every way to run its container: by engine, by whose it is, by what cgroups allow."""
    files: dict[str, str] = {}
    scopes: tuple[Scope, ...] = ("user", "system")
    for scope in scopes:
        for limits in (False, True):
            variant = f"{scope}-limits" if limits else scope
            made = _container(bundle, "podman", scope, limits=limits, timers=True)
            files[f"container/quadlet-{variant}.container"] = quadlet_text(made, scope)
            for cgroups in ("unified", "legacy"):
                text = unit_text(made, scope, PODMAN_MARK, unified=cgroups == "unified")
                files[f"container/unit-{variant}-{cgroups}.service"] = text
            direct = _container(bundle, "podman", scope, limits=limits, timers=False)
            files[f"container/run-podman-{variant}.words"] = _words(direct, "podman")
            docker = _container(bundle, "docker", scope, limits=limits, timers=True)
            files[f"container/run-docker-{variant}.words"] = _words(docker, "docker")
    return files


def _container(
    bundle: Bundle, engine: Engine, scope: Scope, *, limits: bool, timers: bool
) -> Container:
    """As `sitectl.runtimes.planning.planned` plans one on this host."""
    user = f"{ROUTER_UID}:{ROUTER_UID}" if scope == "system" else ""
    return Container(
        name=bundle.unit,
        site=bundle.name,
        directory=DIRECTORY_MARK,
        image=bundle.image,
        pull_policy=bundle.pull_policy,
        user=user or (OWNER_MARK if engine == "docker" else ""),
        low_ports=bundle.low_ports,
        limits=limits,
        timers=timers,
        stop_s=bundle.stop_s,
    )


def _words(container: Container, engine: Engine) -> str:
    """One word a line, as launch.sh reads them."""
    words = direct_words(container, engine, PLAN_MARK)
    assert not any("\n" in word for word in words)
    return "\n".join(words) + "\n"


def runtime_files(bundle: Bundle) -> dict[str, str]:
    """``runtime.yaml`` of each type, so that sitectl, once it is there, goes on with the gateway."""
    image: dict[str, str] = {"image": bundle.image, "pull_policy": bundle.pull_policy}
    specs = {
        "podman": RuntimeSpec(kind="podman", name=bundle.unit, **image),  # type: ignore[arg-type]
        "docker": RuntimeSpec(kind="docker", name=bundle.unit, **image),  # type: ignore[arg-type]
        "service-user": RuntimeSpec(kind="systemd", scope="user"),
        "service-system": RuntimeSpec(kind="systemd", scope="system"),
    }
    return {
        f"runtime/{name}.yaml": msgspec.yaml.encode(msgspec.to_builtins(spec)).decode()
        for name, spec in specs.items()
    }


def script(template: str, common: str, bundle: Bundle) -> str:
    """``launch.sh`` or ``remove.sh``, with what this bundle is at its top."""
    values = {
        "name": bundle.name,
        "unit": bundle.unit,
        "site": bundle.site,
        "expires": bundle.expires,
        "revoke": bundle.revoke,
        "image": bundle.image,
        "image_digest": bundle.image_digest,
        "pull": bundle.pull_policy,
        "directory_label": DIRECTORY_LABEL,
        "plan_label": PLAN_LABEL,
    }
    used = {key: value for key, value in values.items() if f"${key}" in template + common}
    settings = "\n".join(f"{key}={shlex.quote(value)}" for key, value in used.items())
    marks: Mapping[str, str] = {
        "@SETTINGS@\n": f"{settings}\n",
        "@COMMON@\n": common,
        "@LINK@": LINK,
        "@ROUTER_UID@": str(ROUTER_UID),
    }
    for mark, text in marks.items():
        template = template.replace(mark, text)
    return template


def readme(bundle: Bundle, services: str) -> str:
    """What to type, what is secret, and how to bar it; ``services``: its own, a line each."""
    credential = (
        f"a claim, redeemed at the first launch: launch it before {bundle.expires}"
        if bundle.is_claim
        else f"a certificate for this gateway alone, good until {bundle.expires}"
    )
    return README.format(
        bundle=bundle,
        credential=credential,
        services=services or "  none\n",
        image="in the bundle" if bundle.image_digest else "pulled unless it is here",
    )


README: Final = """\
Gateway {bundle.name} of the site {bundle.site}, made by sitectl {bundle.version}.

Services:
{services}
Launch it, as the user who shall run it:

    mkdir gateway && tar -xzf {bundle.name}.tar.gz -C gateway && cd gateway
    ./launch.sh -t podman       a container; needs podman and a shell, nothing else
    ./launch.sh -t docker
    ./launch.sh                 a systemd service; needs sitectl

Typed again it changes nothing, or finishes what was interrupted. A newer bundle of this gateway
is launched over it. ./remove.sh removes the gateway and its state from this host.

Image: {bundle.image} ({image}).

THIS BUNDLE IS SECRET. It holds the gateway's key and {credential}.
Whoever has it can be this gateway: offer its services, and use those of the network. Two at once
are refused: the network reports the second one. Copy it over ssh, delete it after launching it,
and if it got into wrong hands, at the site {bundle.site}:

    {bundle.revoke}

Nobody else's access changes. Id of this gateway: {bundle.site_id}
"""


def sums(digests: Mapping[str, str]) -> str:
    """``SHA256SUMS``, as sha256sum(1) checks it, of names and digests."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
