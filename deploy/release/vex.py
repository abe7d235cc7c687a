"""``vex.json``: known vulnerabilities that matter to a release, and why most do not.

CycloneDX 1.5 with only vulnerabilities; each refers to a component in the release's own bill of
materials (BOM-Link). Made from ``vulnerabilities.yaml``, which a person reviews.
"""

import datetime
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml

REVIEWED: Final = Path(__file__).with_name("vulnerabilities.yaml")
_NVD: Final = {"name": "NVD"}


class VexStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The meaning of one vulnerability for one component."""

    id: str
    title: str
    component: str
    state: Literal["not_affected", "resolved", "exploitable", "in_triage"]
    detail: str
    justification: str = ""
    """A word of CycloneDX; set if ``state`` is ``not_affected``."""
    fixed: str = ""
    """The first version without it; set if ``state`` is ``resolved``."""
    evidence: str = ""
    """The test that shows it, by its path below the root of the sources."""


class ReviewedVulnerabilities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All reviewed vulnerabilities, and the date of the last review."""

    reviewed: datetime.date
    statements: Sequence[VexStatement]


class WrongStatement(Exception):
    """A statement does not hold for the components of this release."""


def reviewed(path: Path = REVIEWED) -> ReviewedVulnerabilities:
    """The reviewed list. Raises msgspec.ValidationError that names the field."""
    return msgspec.convert(yaml.safe_load(path.read_text("utf-8")), ReviewedVulnerabilities)


def document(found: ReviewedVulnerabilities, bill: Mapping[str, Any]) -> str:
    """The text of vex.json for a release with the bill of materials ``bill``.

    Raises WrongStatement: a component is not in ``bill``, or is older than its fix.
    """
    parts = {one["name"]: one for one in (*bill["components"], bill["metadata"]["component"])}
    made = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": f"{found.reviewed.isoformat()}T00:00:00Z",
            "component": bill["metadata"]["component"],
        },
        "vulnerabilities": [_told(one, bill, parts) for one in found.statements],
    }
    text = json.dumps(made, sort_keys=True)
    serial = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, text)}"
    return json.dumps(made | {"serialNumber": serial}, indent=2, sort_keys=True) + "\n"


def _told(one: VexStatement, bill: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    part = parts.get(one.component)
    if part is None:
        raise WrongStatement(f"{one.id}: {one.component} is not in the release. Remove it")
    if one.state == "resolved" and not _reaches(part["version"], one.fixed):
        raise WrongStatement(
            f"{one.id}: {one.component} is {part['version']}, resolved from "
            f"{one.fixed or 'no version'} on. Next: make lock UPGRADE=--upgrade"
        )
    if (one.state == "not_affected") != bool(one.justification):
        raise WrongStatement(f"{one.id}: `justification` is for `not_affected`, and needed there")
    analysis = {"state": one.state, "detail": one.detail}
    if one.justification:
        analysis["justification"] = one.justification
    serial = bill["serialNumber"].removeprefix("urn:uuid:")
    return {
        "id": one.id,
        "source": _NVD,
        "description": one.title,
        "analysis": analysis,
        "affects": [{"ref": f"urn:cdx:{serial}/{bill['version']}#{part['bom-ref']}"}],
    }


def _reaches(version: str, fixed: str) -> bool:
    return bool(fixed) and _numbers(version) >= _numbers(fixed)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version))
