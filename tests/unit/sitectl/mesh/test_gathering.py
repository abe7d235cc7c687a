"""A mesh of sites that are there."""

from router.model.rights.sharing import Terms
from router.model.specs import (
    Document,
    GrantSpec,
    LinkSpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
)
from sitectl.mesh.changes import Letting, LinkState, SiteSurvey
from sitectl.mesh.gathering import gathered
from sitectl.mesh.values import Mesh, MeshLink, MeshPlace

IDS = {"west": f"{1:032x}", "east": f"{2:032x}"}
STRANGE = "abcdef01" * 4
SHOP = Document("Service", "shop", ServiceSpec(ports=(80,)))
OTHER_SHOP = Document("Service", "shop", ServiceSpec(ports=(81,)))


def survey(name: str, *documents: Document, **fields: object) -> SiteSurvey:
    """Of a site that runs."""
    site = Document("Site", name, SiteSpec())
    values = {"links": {}, "admitted": (), **fields}
    return SiteSurvey(
        name=name,
        place=name,
        is_there=True,
        id=IDS[name],
        runtime="process",
        documents=(site, *documents),
        is_running=True,
        **values,  # type: ignore[arg-type]
    )


def mesh_of(*surveys: SiteSurvey, owners: dict[str, str] | None = None) -> Mesh:
    return gathered("net", surveys, {one.name: MeshPlace() for one in surveys}, owners or {})


def test_a_service_is_the_owners_and_of_those_that_declare_it_in_the_same_words() -> None:
    surveys = survey("east", SHOP), survey("west", SHOP)
    mesh = mesh_of(*surveys, owners={"shop": IDS["west"]})
    assert (mesh.services["shop"].owner, mesh.services["shop"].also) == ("west", ("east",))
    assert all(not site.services for site in mesh.sites.values())


def test_who_says_something_else_keeps_its_declaration() -> None:
    surveys = survey("east", OTHER_SHOP), survey("west", SHOP)
    mesh = mesh_of(*surveys, owners={"shop": IDS["west"]})
    assert (mesh.services["shop"].owner, mesh.services["shop"].also) == ("west", ())
    assert mesh.sites["east"].services == {"shop": OTHER_SHOP.spec}


def test_where_the_owner_is_none_of_them_the_first_by_name_stands_for_it() -> None:
    mesh = mesh_of(survey("west", SHOP), survey("east", SHOP), owners={"shop": STRANGE})
    assert mesh.services["shop"].owner == "east"


def test_grants_by_id_become_names_of_the_file_and_others_stay() -> None:
    grants = (
        GrantSpec(site=f"east@{IDS['east']}", verbs=("call",)),
        GrantSpec(site=STRANGE, verbs=("offer",)),
    )
    policy = Document("Policy", "shop", SitePolicySpec(service="shop", takes=0.5, grants=grants))
    mesh = mesh_of(survey("west", SHOP, policy), survey("east"))
    assert [grant.site for grant in mesh.services["shop"].grants] == ["east", STRANGE]
    assert mesh.sites["west"].policies == {"shop": SitePolicySpec(service="shop", takes=0.5)}


def test_a_grant_to_a_bare_name_stays_where_it_is() -> None:
    grants = (GrantSpec(site="east", verbs=("call",)),)
    policy = Document("Policy", "shop", SitePolicySpec(service="shop", grants=grants))
    mesh = mesh_of(survey("west", SHOP, policy), survey("east"))
    assert mesh.services["shop"].grants == ()
    assert mesh.sites["west"].policies == {"shop": policy.spec}


def test_a_link_leads_to_the_site_of_its_token_on_the_terms_of_its_certificate() -> None:
    terms = Terms(import_=("shop",))
    admitted = (Letting(site_id=IDS["east"], name="east", terms=terms),)
    east = survey(
        "east",
        Document("Link", "up", LinkSpec(cost=3)),
        links={"up": LinkState(site_id=IDS["west"], site_name="west")},
    )
    mesh = mesh_of(survey("west", admitted=admitted), east)
    assert mesh.links == (MeshLink(from_="east", to="west", name="up", cost=3, allow=terms),)


def test_a_site_out_of_reach_is_elsewhere_and_never_takes_the_name_of_another() -> None:
    east = survey(
        "east",
        Document("Link", "far", LinkSpec()),
        Document("Link", "west", LinkSpec()),
        links={
            "far": LinkState(site_id="9" * 32, site_name="far"),
            "west": LinkState(site_id=STRANGE, site_name="west"),
        },
    )
    mesh = mesh_of(survey("west"), east)
    assert mesh.sites["far"].id == "9" * 32
    assert mesh.sites["far"].at.runtime == "elsewhere"
    assert mesh.sites["west-abcdef01"].id == STRANGE
    assert mesh.links == (
        MeshLink(from_="east", to="far"),
        MeshLink(from_="east", to="west-abcdef01", name="west"),
    )


def test_a_token_without_a_link_document_is_no_link() -> None:
    east = survey("east", links={"far": LinkState(site_id=STRANGE, site_name="far")})
    mesh = mesh_of(east)
    assert mesh.links == ()
    assert set(mesh.sites) == {"east"}


def test_a_namespace_has_its_config_without_its_name_and_secrets() -> None:
    config = {"name": "west", "routers": "2", "console-password": "secret"}
    west = survey("west", config=config)
    place = MeshPlace(runtime="kubernetes", namespace="n")
    mesh = gathered("net", [west], {"west": place}, {})
    assert mesh.sites["west"].at.config == {"routers": "2"}
    assert mesh.sites["west"].settings == SiteSpec()
