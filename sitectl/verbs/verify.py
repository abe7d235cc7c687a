"""`verify`: whether a release is the one that was made, however it came. Without a network."""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import IO, Any

import click

from certs.errors import CertError
from certs.release import bundles
from certs.release.images import ImageLayout, NotAnImage
from sitectl.base import output
from sitectl.base.failure import Exit, usage
from sitectl.base.options import Settings
from sitectl.base.verb import Verb

_TEXT_BYTES_MAX = 64 * 1024 * 1024
_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.+!]+?)-.*\.whl")
_READ_BYTES = 1 << 20
_HARMLESS = ("not_affected", "resolved", "false_positive", "resolved_with_pedigree")

_IMAGE, _NO_IMAGE = "images/IMAGE", "images/NONE"

Check = dict[str, Any]


class _Bundle:
    """Its files, by their names below its one directory: unpacked, or in an archive."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._tar: tarfile.TarFile | None = None
        self._members: dict[str, tarfile.TarInfo] = {}
        self.strange: list[str] = []
        """Entries that are no plain file, or are links to elsewhere."""
        if place.is_dir():
            return
        try:
            self._tar = tarfile.open(place)  # noqa: SIM115  # Read from until the command ends.
            members = self._tar.getmembers()
        except (OSError, tarfile.TarError) as error:
            # If the file does not open, tarfile has a line for each of its readers.
            cause = "it is no tar archive, or cut off" if "\n" in str(error) else error
            raise usage(
                f"{place} is neither a directory nor an archive that can be read: {cause}",
                "Name the file spillway-VERSION.tar, or the directory that it unpacks to",
            ) from None
        for member in members:
            name = member.name.partition("/")[2]
            if member.isfile() and bundles.is_inside(member.name) and name:
                self._members[name] = member
            elif not member.isdir():
                self.strange.append(member.name)

    def names(self) -> set[str]:
        """Of all files."""
        if self._tar is not None:
            return set(self._members)
        found: set[str] = set()
        for path in self._place.rglob("*"):
            if path.is_symlink():
                self.strange.append(str(path.relative_to(self._place)))
            elif path.is_file():
                found.add(str(path.relative_to(self._place)))
        return found

    def open(self, name: str) -> IO[bytes]:
        """One of them."""
        if self._tar is None:
            return (self._place / name).open("rb")
        file = self._tar.extractfile(self._members[name])
        assert file is not None, "a plain file"
        return file

    def read(self, name: str) -> bytes:
        """All of one that is a text."""
        with self.open(name) as file:
            return file.read(_TEXT_BYTES_MAX)

    def digest(self, name: str) -> str:
        """SHA-256 of one, in hexadecimal digits."""
        found = hashlib.sha256()
        with self.open(name) as file:
            while data := file.read(_READ_BYTES):
                found.update(data)
        return found.hexdigest()


@click.command(cls=Verb)
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key of the maker of the release, which you have from elsewhere.",
)
@click.option("--unsigned", is_flag=True, help="Accept a release without a signature.")
@click.pass_context
def verify(ctx: click.Context, bundle: Path, key: Path | None, unsigned: bool) -> None:
    """Check a release without a network: every file, the signature, bill of materials, provenance.

    BUNDLE is spillway-VERSION.tar, or the directory that it unpacks to. Exit 1: a file was changed,
    is missing or is not in the list; --key did not sign the list of files; the release lacks a part
    that every release has; a wheel is not in the bill of materials; a statement on a vulnerability
    is about another release; the provenance is about other files; or the image lacks a layer or a
    platform that the provenance names.

    \b
    Examples:
      sitectl verify spillway-0.1.0.tar --key release.pub
      sitectl verify spillway-0.1.0.tar --unsigned      only whether it is whole
    """
    settings = ctx.ensure_object(Settings)
    if key is None and not unsigned:
        raise usage(
            "verify: whose signature it has to be is not said",
            "Name the public key of the maker of the release: --key release.pub; or --unsigned",
        )
    checks = list(_checks(_Bundle(bundle), key))
    output.emit_items(settings, "ReleaseCheck", checks, lambda: _text(bundle, checks))
    if not all(check["ok"] for check in checks):
        ctx.exit(Exit.FAILED)


def _text(bundle: Path, checks: list[Check]) -> str:
    rows = [("yes" if one["ok"] else "NO", one["name"], one["text"]) for one in checks]
    wrong = sum(not one["ok"] for one in checks)
    last = f"{bundle.name} is what was released." if not wrong else _dont(bundle)
    return f"{output.rows(('OK', 'CHECK', 'RESULT'), rows)}\n\n{last}"


def _dont(bundle: Path) -> str:
    return f"Do not install {bundle.name}: get it again from where it was released."


def _checks(bundle: _Bundle, key: Path | None) -> Iterator[Check]:
    names = bundle.names()
    sums = bundle.read(bundles.SUMS) if bundles.SUMS in names else b""
    listed = bundles.read_sums(sums.decode("ascii", "replace"))
    if not sums or listed is None:
        yield _check("files", f"{bundles.SUMS} is missing, or is not such a list")
        return
    yield _files(bundle, names, listed)
    if key is not None:
        yield _signature(bundle, names, sums, key)
    yield _parts(listed)
    bill, vex, provenance = (
        _json(bundle, name) if name in listed and name in names else None
        for name in (bundles.SBOM, bundles.VEX, bundles.PROVENANCE)
    )
    yield _materials(bill, listed)
    yield _vulnerabilities(vex, bill)
    yield _provenance(provenance, listed)
    yield _image(bundle, names & listed.keys(), provenance)


def _check(name: str, wrong: str, well: str = "") -> Check:
    return {"name": name, "ok": not wrong, "text": wrong or well}


def _files(bundle: _Bundle, names: set[str], listed: Mapping[str, str]) -> Check:
    own = {bundles.SUMS, bundles.SIGNATURE}
    missing = sorted(listed.keys() - names)
    more = sorted(names - listed.keys() - own) + bundle.strange
    changed = [
        name for name in sorted(listed.keys() & names) if bundle.digest(name) != listed[name]
    ]
    wrong = "; ".join(
        f"{word}: {', '.join(found[:3])}{f' and {len(found) - 3} more' if found[3:] else ''}"
        for word, found in (("changed", changed), ("missing", missing), ("not listed", more))
        if found
    )
    return _check("files", wrong, f"{len(listed)} files are as they are listed")


def _signature(bundle: _Bundle, names: set[str], sums: bytes, key: Path) -> Check:
    if bundles.SIGNATURE not in names:
        return _check("signature", f"{bundles.SIGNATURE} is missing: it is not signed")
    try:
        is_signed = bundles.is_signed(sums, bundle.read(bundles.SIGNATURE), key)
    except CertError as error:
        raise usage(str(error), "Name a public key in PEM") from None
    return _check(
        "signature", "" if is_signed else f"not by the key {key.name}", f"by the key {key.name}"
    )


def _json(bundle: _Bundle, name: str) -> Any:
    """The value in a file of the release; None: it is not JSON."""
    try:
        return json.loads(bundle.read(name))
    except (ValueError, RecursionError):
        return None


def _parts(listed: Mapping[str, str]) -> Check:
    """The release has what every release has."""
    missing = bundles.missing_parts(listed)
    text = f"missing: {', '.join(missing)}" if missing else ""
    return _check("parts", text, f"{len(bundles.PARTS)} kinds of parts, as every release has")


def _materials(bill: Any, listed: Mapping[str, str]) -> Check:
    """Each wheel is in the bill of materials (CycloneDX), by name and version."""
    try:
        parts = [*bill["components"], bill["metadata"]["component"]]
        known = {(_plain(one["name"]), one["version"]) for one in parts}
    except (KeyError, TypeError):
        return _check("materials", f"{bundles.SBOM} is missing, or no bill of materials")
    wheels = [Path(name).name for name in listed if name.endswith(".whl")]
    found = {name: _WHEEL.fullmatch(name) for name in wheels}
    unknown = [
        name
        for name, match in found.items()
        if match is None or (_plain(match["name"]), match["version"]) not in known
    ]
    text = f"{', '.join(sorted(unknown)[:3])}: in no bill of materials" if unknown else ""
    return _check("materials", text, f"{len(wheels)} wheels are in the bill of materials")


def _vulnerabilities(statement: Any, bill: Any) -> Check:
    """Each statement (CycloneDX VEX) is about a component in the bill of this release."""
    name = "vulnerabilities"
    try:
        place = f"urn:cdx:{bill['serialNumber'].removeprefix('urn:uuid:')}/{bill['version']}#"
        parts = [*bill["components"], bill["metadata"]["component"]]
        known = {f"{place}{one['bom-ref']}" for one in parts}
        found = {one["id"]: one for one in statement["vulnerabilities"]}
        wrong = sorted(
            key
            for key, one in found.items()
            if not one["affects"] or not {part["ref"] for part in one["affects"]} <= known
        )
        affected = sorted(
            key for key, one in found.items() if one["analysis"]["state"] not in _HARMLESS
        )
        reviewed = statement["metadata"]["timestamp"][:10]
    except (KeyError, TypeError, AttributeError):
        return _check(name, f"{bundles.VEX} is missing, or no statement on vulnerabilities")
    if wrong:
        return _check(name, f"{', '.join(wrong[:3])}: about another release")
    told = f"{len(found)} statements, reviewed {reviewed}; "
    return _check(
        name, "", told + (f"affected by {', '.join(affected)}" if affected else "none affects it")
    )


def _provenance(statement: Any, listed: Mapping[str, str]) -> Check:
    """The statement (in-toto, SLSA) names each file that is run, with its digest."""
    try:
        subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
        made = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        source = made[0]["digest"].get("gitCommit", "") if made else ""
    except (KeyError, TypeError, IndexError, AttributeError):
        return _check(
            "provenance", f"{bundles.PROVENANCE} is missing, or no statement of provenance"
        )
    others = [name for name, digest in subjects.items() if listed.get(name) != digest]
    unsaid = [name for name in listed if bundles.is_run(name) and name not in subjects]
    wrong = ", ".join(sorted(others + unsaid)[:3])
    text = f"{len(subjects)} files, made from commit {source[:12] or 'that is not known'}"
    return _check("provenance", f"it speaks of other files: {wrong}" if wrong else "", text)


def _image(bundle: _Bundle, names: AbstractSet[str], statement: Any) -> Check:
    """The image is the one that IMAGE names, whole, and for each platform of the provenance."""
    check = partial(_check, "image")
    if _IMAGE not in names:
        reason = bundle.read(_NO_IMAGE).decode("utf-8", "replace") if _NO_IMAGE in names else ""
        return check("" if reason else "missing", f"there is none: {reason.strip()}")
    name = bundle.read(_IMAGE).decode("utf-8", "replace").strip()
    archives = [one for one in names if re.fullmatch(r"images/[^/]+\.tar", one)]
    try:
        told = statement["predicate"]["buildDefinition"]["externalParameters"]["platforms"]
        stated = set(map(str, told))
        if len(archives) != 1:
            return check(f"{len(archives)} archives, where one image is named")
        with bundle.open(archives[0]) as file:
            layout = ImageLayout(file)
            found = layout.platforms()
    except (KeyError, TypeError):
        return check(f"{bundles.PROVENANCE} names no platforms")
    except NotAnImage as error:
        return check(f"{archives[0]}: {error}")
    if not name.endswith(f"@{layout.digest}"):
        return check(f"{archives[0]} is not {name}")
    missing = sorted(stated - found)
    return check(
        f"not for {', '.join(missing)}" if missing else "",
        f"for {', '.join(sorted(found))}, whole, by the digest that {_IMAGE} names",
    )


def _plain(name: str) -> str:
    """As the package index compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
