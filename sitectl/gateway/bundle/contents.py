"""The content of a bundle: its files by name, rendered from values. Pure.

The same functions render the container as for a gateway made on this host
(`sitectl.runtimes.containers`: `words`, `quadlet`). Marks in the text stand for facts of the other
host; ``launch.sh`` replaces them.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import structs

from certs.identity import RESTORED_FILE
from sitectl.gateway.edge import LINK
from sitectl.runtimes.containers.host import ROUTER_UID
from sitectl.runtimes.containers.quadlet import quadlet_text, unit_text
from sitectl.runtimes.containers.words import (
    DIRECTORY_LABEL,
    PLAN_LABEL,
    Container,
    Engine,
    direct_words,
)
from sitectl.runtimes.spec import PullPolicy, RuntimeSpec, Scope
from sitectl.runtimes.systemd.unit_file import ACCOUNT

DIRECTORY_MARK: Final = "/@THE DIRECTORY@"
"""The mark for the site's directory: with a space, so that it is quoted wherever needed."""
OWNER_MARK: Final = "@UID@:@GID@"
PODMAN_MARK: Final = "@PODMAN@"
PLAN_MARK: Final = "@PLAN@"
SUMS: Final = "SHA256SUMS"
IMAGE_ARCHIVE: Final = "image.tar"


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle: gateway ``name`` of ``site``. ``revoke``: the command there that revokes it.

    ``expires``: human-readable end of its credential. ``image_digest``: of the configuration of the
    image in the archive, hex; empty: there is no archive. ``version``: of sitectl that made it.
    """

    name: str
    site: str
    site_id: str
    expires: str
    revoke: str
    credential: Literal["own", "bearer", "claim"]
    image: str
    image_digest: str = ""
    pull_policy: PullPolicy = "missing"
    version: str = ""

    @property
    def unit(self) -> str:
        """The name of its container and its unit."""
        return f"spillway-gateway-{self.name}"


def container_files(planned: Container) -> dict[str, str]:
    """Every way to run a container: by engine, by whose it is, by what cgroups there are.

    ``planned`` as `runtimes.planning` plans it for the site; who runs it is decided there.
    """
    here = structs.replace(planned, directory=DIRECTORY_MARK, user=OWNER_MARK)
    scopes: tuple[Scope, ...] = ("user", "system")
    files: dict[str, str] = {}
    for scope in scopes:
        full = structs.replace(here, keep_id=scope == "user", limits=True, timers=True)
        files[f"container/quadlet-{scope}.container"] = quadlet_text(full, scope)
        unit = unit_text(full, scope, PODMAN_MARK, unified=True)
        files[f"container/unit-{scope}-unified.service"] = unit
        # Without cgroups v2 only root's podman may limit anything.
        less = structs.replace(full, limits=scope == "system")
        unit = unit_text(less, scope, PODMAN_MARK, unified=False)
        files[f"container/unit-{scope}-legacy.service"] = unit
        direct = structs.replace(less, timers=False)
        files[f"container/run-podman-{scope}.words"] = _words(direct, "podman")
    docker = structs.replace(here, keep_id=False, limits=True, timers=True)
    files["container/run-docker.words"] = _words(docker, "docker")
    return files


def _words(container: Container, engine: Engine) -> str:
    """One word a line, as launch.sh reads them."""
    words = direct_words(container, engine, PLAN_MARK)
    assert not any("\n" in word for word in words)
    return "\n".join(words) + "\n"


def runtime_files(bundle: Bundle) -> dict[str, str]:
    """``runtime.yaml`` by type and scope: sitectl, once it is there, goes on with the gateway."""
    service = RuntimeSpec(name=bundle.unit, kind="systemd")
    box = RuntimeSpec(name=bundle.unit, image=bundle.image, pull_policy=bundle.pull_policy)
    scopes: tuple[Scope, ...] = ("user", "system")
    specs: dict[str, RuntimeSpec] = {}
    for scope in scopes:
        specs[f"service-{scope}"] = structs.replace(service, scope=scope)
        specs[f"podman-{scope}"] = structs.replace(box, kind="podman", scope=scope)
        specs[f"docker-{scope}"] = structs.replace(box, kind="docker", scope=scope)
    return {
        f"runtime/{name}.yaml": msgspec.yaml.encode(msgspec.to_builtins(spec)).decode()
        for name, spec in specs.items()
    }


def script(template: str, common: str, bundle: Bundle) -> str:
    """``launch.sh`` or ``remove.sh``, with the values of this bundle at its top."""
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
    text = template + common
    used = {k: value for k, value in values.items() if re.search(rf"\$\{{?{k}\b", text)}
    settings = "\n".join(f"{key}={shlex.quote(value)}" for key, value in used.items())
    marks: Mapping[str, str] = {
        "@SETTINGS@\n": f"{settings}\n",
        "@COMMON@\n": common,
        "@LINK@": LINK,
        "@RESTORED@": RESTORED_FILE,
        "@ROUTER_UID@": str(ROUTER_UID),
        "@ACCOUNT@": ACCOUNT,
    }
    for mark, text in marks.items():
        template = template.replace(mark, text)
    return template


def readme(bundle: Bundle, services: str) -> str:
    """Commands, secrets, and how to revoke the gateway; ``services``: its own, one a line."""
    credential = {
        "own": f"a certificate for\nthis gateway alone, good until {bundle.expires}.",
        "bearer": f"a certificate\nfor its holder, good until {bundle.expires}.",
        "claim": f"a claim, redeemed\nat the first launch: launch it before {bundle.expires}.",
    }[bundle.credential]
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
Launch it, as the user who will run it:

    mkdir gateway && tar -xzf {bundle.name}.tar.gz -C gateway && cd gateway
    ./launch.sh -t podman       a container; needs podman and a shell, nothing else
    ./launch.sh -t docker
    ./launch.sh                 a systemd service; needs sitectl

Typed again it changes nothing, or finishes what was interrupted. A newer bundle of this gateway
is launched over it. ./remove.sh removes the gateway and its state from this host.

Image: {bundle.image} ({image}).

THIS BUNDLE IS SECRET. It holds the gateway's key and {credential}
Anyone who has it can be this gateway: offer its services, and use those of the network. Launched on
two hosts, the first keeps its place, the other is kept out until the first is gone, and the site
says so with both places: `sitectl gateway status`.
Copy it over ssh, delete it after launching it, and if it got into wrong hands, type at the site:

    {bundle.revoke}

No other access changes. Id of this gateway: {bundle.site_id}
"""


def sums(digests: Mapping[str, str]) -> str:
    """``SHA256SUMS``, as sha256sum(1) checks it, of names and digests."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
