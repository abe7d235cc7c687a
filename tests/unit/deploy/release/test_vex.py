"""Statements on vulnerabilities: each about a component of the release, and true of its version."""

import json
import re
from typing import Any

import msgspec
import pytest
import yaml

from deploy.release import vex
from deploy.release.packages import ROOT

BILL: dict[str, Any] = json.loads((ROOT / "deploy/image/sbom.cdx.json").read_text())
REVIEWED = vex.reviewed()


def refuse(**changes: object) -> str:
    """The error for the first `resolved` statement with these changes."""
    first = next(one for one in REVIEWED.statements if one.state == "resolved")
    changed = msgspec.structs.replace(first, **changes)
    with pytest.raises(vex.WrongStatement) as told:
        vex.document(msgspec.structs.replace(REVIEWED, statements=[changed]), BILL)
    return str(told.value)


def test_the_reviewed_list_makes_a_document_about_components_of_the_bill() -> None:
    made = json.loads(vex.document(REVIEWED, BILL))
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.5")
    assert made["metadata"]["timestamp"] == f"{REVIEWED.reviewed}T00:00:00Z"
    serial = BILL["serialNumber"].removeprefix("urn:uuid:")
    parts = {one["bom-ref"] for one in (*BILL["components"], BILL["metadata"]["component"])}
    for one in made["vulnerabilities"]:
        (affected,) = one["affects"]
        place, _, part = affected["ref"].partition("#")
        assert place == f"urn:cdx:{serial}/1" and part in parts
        assert one["analysis"]["detail"].endswith(".")


def test_the_same_list_makes_the_same_bytes() -> None:
    assert vex.document(REVIEWED, BILL) == vex.document(vex.reviewed(), BILL)


@pytest.mark.parametrize("one", REVIEWED.statements, ids=lambda one: one.id)
def test_a_statement_is_identified_once_and_its_evidence_is_there(one: vex.VexStatement) -> None:
    assert re.fullmatch(r"(CVE-\d{4}-\d{4,}|GHSA(-[0-9a-z]{4}){3})", one.id)
    assert [other.id for other in REVIEWED.statements].count(one.id) == 1
    assert one.state != "not_affected" or (ROOT / one.evidence).is_file()


def test_a_component_older_than_its_fix_is_refused_with_the_next_step() -> None:
    said = refuse(fixed="999.1")
    assert "resolved from 999.1 on" in said and "make lock UPGRADE=--upgrade" in said
    assert "resolved from no version on" in refuse(fixed="")


def test_a_component_that_is_gone_and_a_missing_reason_are_refused() -> None:
    assert "is not in the release" in refuse(component="leftpad")
    assert "`justification`" in refuse(state="not_affected")


def test_a_field_that_is_not_known_is_named(tmp_path: Any) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump({"reviewed": "2026-01-02", "statements": [], "extra": 1}))
    with pytest.raises(msgspec.ValidationError, match="extra"):
        vex.reviewed(path)
