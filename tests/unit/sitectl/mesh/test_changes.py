"""What differs between a mesh file and a site that was looked at."""

import msgspec
import pytest

from router.model.rights.sharing import Terms
from router.model.specs import Document, LinkSpec, ServiceSpec
from sitectl.mesh.changes import (
    Letting,
    LinkState,
    MeshChange,
    SiteSurvey,
    changes_at,
    faults_at,
    unclaimed_links,
)
from sitectl.mesh.expanding import documents_of
from sitectl.mesh.record import MeshRecord
from sitectl.mesh.values import Mesh, MeshPlace
from tests.unit.sitectl.mesh.texts import SPEC, mesh_of

IDS = {"west": f"{1:032x}", "east": f"{2:032x}", "north": f"{3:032x}"}


def found(mesh: Mesh, name: str, **other: object) -> SiteSurvey:
    """A site that is as the file says, but for ``other``."""
    links = {
        link.title: LinkState(site_id=IDS[link.to], site_name=link.to, is_up=True)
        for link in mesh.links
        if link.from_ == name
    }
    survey = SiteSurvey(
        name=name,
        place=f"/sites/{name}",
        is_there=True,
        id=IDS[name],
        runtime="process",
        documents=tuple(documents_of(mesh, name)),
        links=links,
        is_running=True,
    )
    return msgspec.structs.replace(survey, **other)


def changes(mesh: Mesh, survey: SiteSurvey, *, prune: bool = False) -> list[MeshChange]:
    return changes_at(mesh, survey, IDS, prune=prune)


def only(mesh: Mesh, survey: SiteSurvey) -> MeshChange:
    """The only change."""
    (change,) = changes(mesh, survey)
    return change


def test_a_site_that_is_as_the_file_says_needs_nothing() -> None:
    mesh = mesh_of()
    for name in mesh.sites:
        assert changes(mesh, found(mesh, name)) == []


def test_of_a_site_that_is_not_there_all_is_made() -> None:
    mesh = mesh_of()
    made = changes(mesh, SiteSurvey(name="east", place="/sites/east"))
    assert [(one.verb, one.kind, one.name) for one in made] == [
        ("create", "Site", "east"),
        ("create", "Link", "west"),
        ("link", "Link", "west"),
        ("start", "Router", "east"),
    ]
    assert all(one.is_work for one in made)
    assert made[1].after == {"cost": 5}
    assert made[1].before is None


def test_a_router_that_hangs_is_down_and_not_to_be_started() -> None:
    mesh = mesh_of()
    (mute,) = changes(mesh, found(mesh, "west", is_running=False, is_mute=True))
    assert (mute.verb, mute.kind, mute.reason) == ("down", "Router", "it runs and does not answer")
    assert not mute.is_work
    stopped = only(mesh, found(mesh, "west", is_running=False))
    assert (stopped.verb, stopped.reason) == ("start", "it does not run")


def test_a_document_that_differs_is_updated_with_both_its_forms() -> None:
    mesh = mesh_of()
    other = Document("Service", "shop", ServiceSpec(protocol="http", ports=(80,)))
    site = documents_of(mesh, "west")[0]
    change = only(mesh, found(mesh, "west", documents=(site, other)))
    assert (change.verb, change.kind, change.name) == ("update", "Service", "shop")
    assert change.before == {"protocol": "http", "ports": [80]}
    assert change.after == {"protocol": "http", "ports": [8080]}


def test_a_document_in_a_file_of_the_users_own_blocks_if_it_differs() -> None:
    mesh = mesh_of()
    other = Document("Service", "shop", ServiceSpec(ports=(80,)))
    site = documents_of(mesh, "west")[0]
    own = {("Service", "shop"): "Edit config/mine.yaml"}
    change = only(mesh, found(mesh, "west", documents=(site, other), own=own))
    assert change.verb == "blocked"
    assert not change.is_work
    assert change.hint == "Edit config/mine.yaml"
    assert changes(mesh, found(mesh, "west", own=own)) == [], "the same is no difference"


@pytest.mark.parametrize(
    ("record", "own", "prune", "verb"),
    [
        (MeshRecord(), False, False, "extra"),
        (MeshRecord(), False, True, "delete"),
        (MeshRecord(mesh="net", documents=(("Service", "old"),)), False, False, "delete"),
        (MeshRecord(mesh="net", documents=(("Connector", "old"),)), False, False, "extra"),
        (MeshRecord(mesh="other", documents=(("Service", "old"),)), False, False, "extra"),
        (MeshRecord(mesh="net", documents=(("Service", "old"),)), True, False, "extra"),
        (MeshRecord(), True, True, "extra"),
    ],
)
def test_what_the_file_does_not_have_goes_if_the_file_made_it(
    record: MeshRecord, own: bool, prune: bool, verb: str
) -> None:
    mesh = mesh_of()
    old = Document("Service", "old", ServiceSpec(ports=(81,)))
    documents = (*documents_of(mesh, "west"), old)
    places = {("Service", "old"): "Edit it"} if own else {}
    survey = found(mesh, "west", documents=documents, record=record, own=places)
    (change,) = changes(mesh, survey, prune=prune)
    assert (change.verb, change.name) == (verb, "old")
    assert change.is_work == (verb == "delete")


def test_a_site_document_of_another_name_is_never_deleted() -> None:
    mesh = mesh_of()
    other = Document("Site", "weast", documents_of(mesh, "west")[0].spec)
    survey = found(mesh, "west", documents=(*documents_of(mesh, "west"), other))
    assert changes(mesh, survey, prune=True) == []


def test_a_link_without_a_cost_in_the_file_has_that_of_its_token() -> None:
    mesh = mesh_of(SPEC.replace(", cost: 5", ""))
    site = documents_of(mesh, "east")[0]
    link = Document("Link", "west", LinkSpec(cost=9))
    assert changes(mesh, found(mesh, "east", documents=(site, link))) == []
    other = Document("Link", "west", LinkSpec(cost=9, disabled=True))
    assert only(mesh, found(mesh, "east", documents=(site, other))).verb == "update"


def test_a_token_of_another_site_is_replaced() -> None:
    mesh = mesh_of()
    links = {"west": LinkState(site_id=IDS["north"], site_name="north")}
    change = only(mesh, found(mesh, "east", links=links))
    assert change.verb == "link"
    assert change.reason == "a claim of west, in place of the token of north (00000000)"


def test_a_claim_that_ended_before_it_was_redeemed_is_replaced() -> None:
    mesh = mesh_of()
    link = mesh.links[0]
    state = LinkState(site_id=IDS[link.to], site_name=link.to, is_up=False, claimable_until=100.0)
    dialer = found(mesh, link.from_, links={link.title: state})
    acceptor = found(mesh, link.to)
    let_in = msgspec.structs.replace(
        acceptor, admitted=(Letting(site_id=IDS[link.from_], name=link.from_),)
    )

    assert unclaimed_links(mesh, dialer, {link.to: acceptor}, 100.0) == {link.title}
    assert not unclaimed_links(mesh, dialer, {link.to: acceptor}, 99.0)
    assert not unclaimed_links(mesh, dialer, {link.to: let_in}, 100.0)
    assert not unclaimed_links(mesh, dialer, {}, 100.0)
    (change,) = [
        one
        for one in changes_at(mesh, dialer, IDS, unclaimed=frozenset({link.title}))
        if one.verb == "link" and one.name == link.title
    ]
    assert (
        change.reason == f"a claim of {link.to}, in place of one that ended before it was redeemed"
    )


def test_where_no_id_is_known_the_name_in_the_token_counts() -> None:
    mesh = mesh_of()
    links = {"west": LinkState(site_id="f" * 32, site_name="west")}
    assert changes_at(mesh, found(mesh, "east", links=links), {}) == []
    assert [one.verb for one in changes_at(mesh, found(mesh, "east", links=links), IDS)] == ["link"]


@pytest.mark.parametrize(
    ("terms", "blocked"),
    [(Terms(), False), (None, False), (Terms(import_=()), True)],
)
def test_other_terms_than_those_of_the_certificate_are_blocked(
    terms: Terms | None, blocked: bool
) -> None:
    mesh = mesh_of()
    admitted = (Letting(site_id=IDS["east"], name="east", terms=terms),)
    found_there = changes(mesh, found(mesh, "west", admitted=admitted))
    assert [one.verb for one in found_there] == ["blocked"] * blocked
    assert all("other terms" in one.reason and one.hint for one in found_there)


def test_a_site_that_was_revoked_is_not_let_in_again() -> None:
    mesh = mesh_of()
    revoked = (Letting(site_id=IDS["east"], name="east"),)
    change = only(mesh, found(mesh, "west", revoked=revoked))
    assert change.verb == "blocked"
    assert "revoked" in change.reason


@pytest.mark.parametrize(
    ("wanted", "there", "is_running", "blocked"),
    [
        ("process", "process", True, False),
        ("systemd", "process", True, True),
        ("systemd", "process", False, False),
        ("podman", "process", False, False),
        ("process", "systemd", False, True),
        ("podman", "systemd", False, True),
        ("elsewhere", "systemd", True, False),
        ("elsewhere", "process", True, False),
    ],
)
def test_another_runtime_is_blocked_unless_making_it_was_interrupted(
    wanted: str, there: str, is_running: bool, blocked: bool
) -> None:
    mesh = mesh_of(SPEC.replace("west: {}", f"west: {{at: {{runtime: {wanted}}}}}"))
    survey = found(mesh, "west", runtime=there, is_running=is_running)
    assert ("blocked" in [one.verb for one in changes(mesh, survey)]) == blocked


def test_another_site_at_that_place_is_blocked() -> None:
    mesh = mesh_of(SPEC.replace("west: {}", f"west: {{id: {IDS['west']}}}"))
    assert changes(mesh, found(mesh, "west")) == []
    change = only(mesh, found(mesh, "west", id=IDS["north"]))
    assert change.verb == "blocked"
    assert change.reason == f"/sites/west is site {IDS['north']}, not {IDS['west']}"


def test_the_config_of_a_namespace_is_changed_where_the_file_says_something_else() -> None:
    at = "{runtime: kubernetes, namespace: n, config: {routers: 2}}"
    mesh = mesh_of(f"sites: {{west: {{at: {at}}}}}")
    there = found(mesh, "west", runtime="kubernetes", is_running=False)
    config = {"name": "west", "routers": "2", "console": "true"}
    assert changes(mesh, msgspec.structs.replace(there, config=config)) == []
    change = only(mesh, msgspec.structs.replace(there, config=config | {"routers": "1"}))
    assert (change.verb, change.kind) == ("update", "Site")
    assert change.before == {"name": "west", "routers": "1"}
    assert change.after == {"name": "west", "routers": "2"}
    new = SiteSurvey(name="west", place="namespace n")
    assert [one.verb for one in changes(mesh, new)] == ["create"]
    assert MeshPlace(runtime="kubernetes", namespace="n", config={"routers": "2"}) == (
        mesh.sites["west"].at
    )


def test_links_that_are_down_are_faults_but_not_those_that_nobody_wants_up() -> None:
    mesh = mesh_of()
    down = {"west": LinkState(site_id=IDS["west"], site_name="west", is_up=False, error="no route")}
    (fault,) = faults_at(mesh, found(mesh, "east", links=down))
    assert (fault.verb, fault.reason) == ("down", "no route")
    assert "link status west" in fault.hint
    assert not fault.is_work
    unknown = {"west": LinkState(site_id=IDS["west"], site_name="west")}
    assert list(faults_at(mesh, found(mesh, "east", links=unknown))) == []
    disabled = mesh_of(SPEC.replace("cost: 5", "disabled: true"))
    assert list(faults_at(disabled, found(disabled, "east", links=down))) == []
