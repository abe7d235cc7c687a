"""`debug dump`: one archive for a maintainer, without secrets."""

import base64
import binascii
import time
from pathlib import Path
from typing import Any

import click

from router import __version__
from sitectl.base import output
from sitectl.base.failure import Failure, not_found
from sitectl.base.findings import Finding
from sitectl.base.options import Settings
from sitectl.base.verb import Verbs
from sitectl.debug.archive import SKIPPED, ArchivePart, Content, collect, write
from sitectl.debug.scrub import Scrubber, secrets_below
from sitectl.selection import store


@click.group("debug", cls=Verbs)
def group() -> None:
    """Support bundles: dump.

    \b
    Example:
      sitectl debug dump site.tar.gz
    """


@group.command("dump")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--with-clients", is_flag=True, help="Include addresses and paths of clients.")
@click.pass_obj
def dump(settings: Settings, file: str, with_clients: bool) -> None:
    """Write versions, documents, status, routes, metrics, logs and stacks to FILE (tar.gz, 0600).

    Works with a stopped or hanging router too: manifest.json in it lists missing parts and why.
    Keys, tokens, passwords, environment values and clients' data are left out; addresses of clients
    become hashes. Check the archive before you send it all the same.

    \b
    Examples:
      sitectl debug dump site.tar.gz
      sitectl -n shop debug dump shop.tar.gz
    """
    path = Path(file).absolute()
    if not path.parent.is_dir():
        raise not_found(f"no directory {path.parent} for the archive", "Make it, or name another")
    output.note("Collecting; this takes up to a minute when the router does not answer.")
    parts, known = _parts(settings)
    scrubber = Scrubber(known, with_clients=with_clients)
    manifest = write(path, collect(parts, scrubber), _about(settings, with_clients))
    missing = [one for one in manifest["parts"] if not one["ok"]]
    fields = {"file": str(path), "bytes": path.stat().st_size, **manifest}
    output.emit_item(settings, "Dump", fields, lambda: _text(path, len(manifest["parts"]), missing))


def _about(settings: Settings, with_clients: bool) -> dict[str, Any]:
    return {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "sitectl": __version__,
        "platform": "kubernetes" if settings.on_kubernetes() else "host",
        "with_clients": with_clients,
    }


def _parts(settings: Settings) -> tuple[list[ArchivePart], set[str]]:
    """The parts to collect, and the known secrets."""
    from sitectl.debug.host import machine_parts, site_parts

    check = ArchivePart("check.json", lambda: _check(settings))
    if settings.on_kubernetes():
        from sitectl.debug.cluster import namespace_parts
        from sitectl.kubernetes.site import KubernetesSite

        namespace = KubernetesSite.of(settings)
        return [*machine_parts(), *namespace_parts(namespace), check], _secrets_in(namespace)
    site = store.find_directory(settings)
    return [*machine_parts(), *site_parts(site), check], secrets_below(site.secrets)


def _secrets_in(site: Any) -> set[str]:
    """The content of the namespace's own Secrets, as far as the user may read them."""
    found: set[str] = set()
    try:
        listed = site.cluster.list("Secret")
    except Failure:
        return found  # Then the collected files have none either, except texts that look like one.
    for one in listed:
        for key, text in (one.get("data") or {}).items():
            found.add(str(text))
            try:
                plain = base64.b64decode(str(text)).decode()
            except (binascii.Error, ValueError):
                continue
            is_public = "-----BEGIN CERT" in plain or key.endswith((".crt", "ca.pem"))
            found |= set() if is_public else {plain, *plain.splitlines()}
    return {one for one in found if len(one) >= 8}


def _check(settings: Settings) -> Content:
    from sitectl.verbs.site.check import findings

    def fields(one: Finding) -> dict[str, str]:
        return {"level": one.level, "code": one.code, "message": one.message, "hint": one.hint}

    return [fields(one) for one in findings(settings)]


def _text(path: Path, count: int, missing: list[dict[str, Any]]) -> str:
    lines = [f"{path}: {count - len(missing)} of {count} parts"]
    skipped = [one for one in missing if one["problem"] == SKIPPED]
    told = [one for one in missing if one not in skipped]
    lines += [f"  missing {one['name']}: {output.safe(one['problem'])}" for one in told]
    if skipped:
        lines.append(f"  missing {len(skipped)} more that only the router can tell")
    return "\n".join(lines)
