"""The documents that each site of a mesh should have."""

from router.model.specs import GrantSpec, LinkSpec, ServiceSpec, SitePolicySpec, SiteSpec
from sitectl.mesh.expanding import documents_beside, documents_of, links_of, site_document
from tests.unit.sitectl.mesh.texts import mesh_of

WEST = f"{1:032x}"


def names_of(spec: str, site: str) -> list[tuple[str, str]]:
    """Kind and name of each document of that site."""
    return [(one.kind, one.name) for one in documents_of(mesh_of(spec), site)]


def test_a_site_has_its_own_documents_those_of_its_services_and_its_links() -> None:
    spec = """\
sites:
  west:
    services: {own: {ports: [81]}}
    connectors: {shop: {targets: [{host: h, port: 1}]}}
    listeners: {own: {listen: none}}
    bursts: {wake: {service: shop, saturated: {used: 70%}, command: [/bin/true]}}
  east: {}
  north: {}
links:
- {from: west, to: north, name: up, cost: 3, disabled: true}
- {from: west, to: east}
services:
  shop: {owner: west, also: [east], ports: [80], grants: [{site: east, verbs: [call]}]}
"""
    assert names_of(spec, "west") == [
        ("Site", "west"),
        ("Service", "own"),
        ("Service", "shop"),
        ("Connector", "shop"),
        ("Listener", "own"),
        ("Burst", "wake"),
        ("Policy", "shop"),
        ("Link", "east"),
        ("Link", "up"),
    ]
    assert names_of(spec, "east") == [("Site", "east"), ("Service", "shop")]
    assert names_of(spec, "north") == [("Site", "north")]
    mesh = mesh_of(spec)
    assert [link.title for link in links_of(mesh, "west")] == ["east", "up"]
    assert documents_beside(mesh, "west")[-1].spec == LinkSpec(cost=3, disabled=True)
    assert documents_of(mesh, "east")[1].spec == ServiceSpec(ports=(80,))


def test_grants_are_added_to_the_policy_that_the_owner_has_of_the_service() -> None:
    mesh = mesh_of(
        """\
sites:
  west:
    policies:
      mine: {service: shop, takes: 0.5, grants: [{site: north, verbs: [offer]}]}
  east: {}
  north: {}
services:
  shop: {owner: west, ports: [80], grants: [{site: east, verbs: [call]}]}
"""
    )
    (policy,) = (one for one in documents_of(mesh, "west") if one.kind == "Policy")
    assert policy.name == "mine"
    assert policy.spec == SitePolicySpec(
        service="shop",
        takes=0.5,
        grants=(GrantSpec(site="north", verbs=("offer",)), GrantSpec(site="east", verbs=("call",))),
    )


def test_a_grant_to_a_site_whose_id_the_file_has_is_to_that_site() -> None:
    mesh = mesh_of(
        f"""\
sites:
  west: {{id: {WEST}}}
  east: {{}}
services:
  shop:
    owner: east
    ports: [80]
    grants:
    - {{site: west, verbs: [call]}}
    - {{site: east, verbs: [call]}}
    - {{site: west@12345678, verbs: [call]}}
"""
    )
    (policy,) = (one.spec for one in documents_of(mesh, "east") if one.kind == "Policy")
    assert isinstance(policy, SitePolicySpec)
    assert [grant.site for grant in policy.grants] == [f"west@{WEST}", "east", "west@12345678"]


def test_the_site_of_a_namespace_is_what_its_config_map_means() -> None:
    mesh = mesh_of(
        "sites: {edge: {at: {runtime: kubernetes, namespace: n, config: {router-mode: edge}}}}"
    )
    assert documents_of(mesh, "edge") == [], "a namespace has no Site document"
    spec = site_document(mesh, "edge").spec
    assert isinstance(spec, SiteSpec)
    assert spec.router_mode == "edge"
