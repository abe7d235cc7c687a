"""``SITE/runtime.yaml`` read and written, and what is found wrong in how a router is run."""

from typing import Any

import msgspec

from router.model.errors import ConfigError
from sitectl.directory import DirectorySite
from sitectl.failure import Exit, Failure
from sitectl.runtimes.spec import RUNTIME_FILE, RuntimeSpec
from sitectl.texts import write_atomically


def read_spec(site: DirectorySite) -> RuntimeSpec:
    """What the site's file says; none: a plain process. Failure: it is damaged."""
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
