"""``SITE/runtime.yaml``: who keeps a site's router running, and how. None: a plain process."""

from typing import Any, Final, Literal

import msgspec

from router.model.errors import ConfigError
from sitectl.directory import DirectorySite
from sitectl.failure import Exit, Failure
from sitectl.texts import write_atomically

RUNTIME_FILE: Final = "runtime.yaml"

Kind = Literal["process", "systemd", "podman", "docker"]
Scope = Literal["user", "system"]
PullPolicy = Literal["always", "missing", "never", "newer"]


class RuntimeSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """How a site's router is run. ``name``: of its unit or container (``spillway-SITE``, …).

    ``scope``: whose systemd starts it, the user's or the system's. ``network`` of a container:
    ``host``, or the name of a network; then its listeners are published, services' on
    ``publish_ip``, and ``publish`` has ``[IP:]PORT:PORT`` of what shall be published otherwise.
    """

    kind: Kind = "process"
    name: str = ""
    scope: Scope = "user"
    image: str = ""  # Empty: `SITECTL_IMAGE`, else this version's.
    pull_policy: PullPolicy = "missing"
    network: str = "host"
    publish: tuple[str, ...] = ()
    publish_ip: str = "127.0.0.1"


def read_spec(site: DirectorySite) -> RuntimeSpec:
    """What the site's file says. Failure: it is damaged."""
    path = site.directory / RUNTIME_FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return RuntimeSpec()
    try:
        return msgspec.yaml.decode(text, type=RuntimeSpec)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failure(
            Exit.FAILED,
            "config",
            f"{path}: {error}",
            "Mend the file, or type the command that made the site once more",
        ) from None


def write_spec(site: DirectorySite, spec: RuntimeSpec) -> None:
    """Keep ``spec`` with the site."""
    fields: dict[str, Any] = msgspec.to_builtins(spec)
    write_atomically(site.directory / RUNTIME_FILE, msgspec.yaml.encode(fields).decode())


def finding(site: DirectorySite, reason: str, hint: str, code: str) -> ConfigError:
    """A finding about how the router is run: it keeps it from running."""
    return ConfigError(str(site.directory / RUNTIME_FILE), "", reason, hint=hint, code=code)


def doubt(site: DirectorySite, reason: str, hint: str, code: str) -> ConfigError:
    """As `finding`, of what the router runs without."""
    found = finding(site, reason, hint, code)
    found.severity = "warning"
    return found
