"""Grants and the sharing mode in documents: valid values, and errors of the others."""

import pytest

from router.documents import read, resolve, write
from router.model.ids import SiteId
from router.model.rights.grants import ServiceGrant
from router.model.rights.sharing import Sharing

SITE = "apiVersion: spillway/v1\nkind: Site\nname: west\n"
POLICY = "apiVersion: spillway/v1\nkind: Policy\nname: shop\nspec:\n  service: "
EAST = "e" * 32
GRANTS = f"""shop
  grants:
  - site: east@{EAST}
    verbs: [offer, call]
    maxCapacity: 20
    until: 2026-12-31T23:59:59Z
  - {{site: north, verbs: [own]}}
"""


def refused(text: str) -> str:
    documents, errors = read(POLICY + text, "policy.yaml")
    assert not documents
    return " ".join(f"{error.message} {error.hint}" for error in errors)


def test_grants_are_rules_of_the_site() -> None:
    documents, errors = read(SITE + "spec: {sharing: strict}\n---\n" + POLICY + GRANTS, "a.yaml")
    assert not errors
    again, _ = read(write(documents[1]), "again")
    assert again[0].spec == documents[1].spec
    wanted, errors = resolve(documents)
    assert wanted is not None and not errors
    assert wanted.rules.strict
    assert wanted.rules.services["shop"] == Sharing(
        grants=(
            ServiceGrant(SiteId(f"east@{EAST}"), ("offer", "call"), 20, 1_798_761_599),
            ServiceGrant(SiteId("north"), ("own",)),
        )
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shop\n  grants: [{site: 'e*', verbs: [call]}]", "may mean several sites"),
        ("shop\n  grants: [{site: east, verbs: [fly]}]", "one of offer, call, redeclare, own"),
        ("shop\n  grants: [{site: east}]", "verbs"),
        ("shop\n  grants: [{site: east, verbs: [call], until: tomorrow}]", "2026-12-31T23:59:59Z"),
        ("shop\n  grants: [{site: east, verbs: [call], until: 2026-02-30T00:00:00Z}]", "no date"),
        ("shop\n  grants: [{site: east, verbs: [offer], maxCapacity: -1}]", "-1"),
        ("'*'\n  grants: [{site: east, verbs: [call]}]", "a grant is of one service"),
    ],
)
def test_what_is_no_grant_is_refused(text: str, says: str) -> None:
    assert says in refused(text)


def test_a_mode_is_one_of_two() -> None:
    documents, errors = read(SITE + "spec: {sharing: shut}\n", "site.yaml")
    assert not documents and "open or strict" in errors[0].message
