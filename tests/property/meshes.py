"""Networks as mesh files say them, and as surveys of their sites find them."""

from typing import Any

from hypothesis import strategies as st
from msgspec import structs

from router.model.rights.sharing import Terms
from router.model.specs import (
    ConnectorSpec,
    Document,
    GrantSpec,
    LinkSpec,
    ListenerSpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)
from sitectl.mesh.changes import Letting, LinkState, SiteSurvey
from sitectl.mesh.sentences import Sentence, parsed
from sitectl.mesh.values import (
    AssumedWork,
    Mesh,
    MeshLink,
    MeshPlace,
    MeshService,
    MeshSite,
)

NAMES = ("west", "east", "north", "no", "null", "7", "1e3", "with", "from")
"""Of sites and services; some are other things in YAML, or words of sentences."""
IDS = {name: f"{number:032x}" for number, name in enumerate(NAMES, start=1)}
STRANGE = "5" * 32
"""The ID of a site that no survey saw."""

SERVICE_SPECS = st.builds(
    ServiceSpec,
    protocol=st.sampled_from(("tcp", "http", "http2")),
    ports=st.just((8080,)),
    queue=st.none() | st.integers(0, 9),
    queue_wait_s=st.sampled_from((0.0, 0.25, 60.0)),
)
SETTINGS = st.builds(
    SiteSpec,
    bind_port=st.integers(30_000, 30_009),
    sharing=st.sampled_from(("open", "strict")),
    service_sync=st.booleans(),
)
PATTERNS = st.none() | st.lists(
    st.sampled_from(("*", "shop", "db-?", "no")), max_size=2, unique=True
).map(tuple)
TERMS = st.builds(Terms, declare=PATTERNS, export=PATTERNS, import_=PATTERNS)
VERBS = st.lists(
    st.sampled_from(("call", "offer", "redeclare")), min_size=1, max_size=2, unique=True
).map(tuple)
UNTIL = st.sampled_from(("", "2030-01-31T00:00:00Z"))
RULES = st.none() | st.lists(
    st.sampled_from(("*", "east", "no", "w?st", f"north@{IDS['north']}")), max_size=2, unique=True
).map(tuple)


def grants(sites: tuple[str, ...]) -> st.SearchStrategy[tuple[GrantSpec, ...]]:
    """Grants to sites, by name, and by patterns that no reader takes for a name."""
    east = IDS["east"]
    whom = st.sampled_from((*sites, IDS["west"], f"east@{east}", f"east@{east[:8]}"))
    one = st.builds(
        GrantSpec, site=whom, verbs=VERBS, max_capacity=st.none() | st.integers(0, 9), until=UNTIL
    )
    return st.lists(one, max_size=2, unique_by=lambda grant: grant.site).map(tuple)


def connectors(services: tuple[str, ...]) -> st.SearchStrategy[dict[str, ConnectorSpec]]:
    """Connectors of some services, some of another name."""
    spec = st.builds(
        ConnectorSpec,
        service=st.sampled_from(services),
        targets=st.lists(st.integers(1, 9), max_size=2, unique=True).map(
            lambda ports: tuple(TargetSpec("10.0.0.1", port=port) for port in ports)
        ),
        capacity=st.sampled_from((None, 3, "auto", "5/s", "3,5/s")),
    )
    return st.dictionaries(st.sampled_from((*services, "shop-2")), spec, max_size=2)


def policies(
    services: tuple[str, ...], sites: tuple[str, ...]
) -> st.SearchStrategy[dict[str, SitePolicySpec]]:
    """At most one policy of a service."""
    spec = st.builds(
        SitePolicySpec,
        service=st.sampled_from((*services, "*")),
        takes=st.sampled_from((1.0, 0.5)),
        site_capacity=st.sampled_from((None, 4, "2/s")),
        export_to=RULES,
        import_from=RULES,
    )
    named = st.tuples(st.sampled_from(("own", *services)), spec, grants(sites)).map(_granted)
    listed = st.lists(
        named,
        max_size=3,
        unique_by=(lambda pair: pair[0], lambda pair: pair[1].service),
    )
    return listed.map(dict)


def _granted(
    drawn: tuple[str, SitePolicySpec, tuple[GrantSpec, ...]],
) -> tuple[str, SitePolicySpec]:
    name, spec, given = drawn
    if spec.service == "*":  # Of all services: it has neither a capacity nor grants.
        return name, structs.replace(spec, site_capacity=None)
    return name, structs.replace(spec, grants=given)


def listeners(services: tuple[str, ...]) -> st.SearchStrategy[dict[str, ListenerSpec]]:
    """At most one listener of a service."""
    spec = st.builds(
        ListenerSpec, service=st.sampled_from(services), listen=st.sampled_from(("none", "auto"))
    )
    named = st.tuples(st.sampled_from(("own", *services)), spec)
    listed = st.lists(
        named,
        max_size=2,
        unique_by=(lambda pair: pair[0], lambda pair: pair[1].service),
    )
    return listed.map(dict)


@st.composite
def sentences(draw: st.DrawFn, sites: tuple[str, ...], services: tuple[str, ...]) -> list[Sentence]:
    """Sentences that can be judged."""
    some, name = st.sampled_from(sites), st.sampled_from(services)
    texts = draw(
        st.lists(
            st.one_of(
                st.builds("{} may call {}".format, some, name),
                st.builds("{} may not offer {}".format, some, name),
                st.builds("{} from {} spills to {}".format, name, some, some),
                st.builds("with {} full, {} spills to {} before {}".format, some, name, some, some),
                st.builds("{} from {} is served by {} or {}".format, name, some, some, some),
                st.builds("with {} dead, nothing of {} is refused at 5/s".format, some, name),
            ),
            max_size=3,
        )
    )
    return [found for text in texts if not isinstance(found := parsed(text), str)]


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    """Meshes that a file may hold."""
    names = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)))
    titles = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)))
    some = st.sampled_from(names)
    services = {
        title: MeshService(
            owner=draw(some),
            spec=structs.replace(draw(SERVICE_SPECS), ports=(8080 + number,)),
            grants=draw(grants(names)),
        )
        for number, title in enumerate(titles)
    }
    for title, service in services.items():
        also = draw(st.lists(some, max_size=2, unique=True))
        others = tuple(name for name in also if name != service.owner)
        services[title] = structs.replace(service, also=others)
    sites = {name: draw(_sites(name, titles, names)) for name in names}
    links = [
        MeshLink(
            from_=one,
            to=other,
            name=draw(st.sampled_from(("", "", "up"))),
            cost=draw(st.none() | st.integers(1, 65_535)),
            disabled=draw(st.booleans()),
            proxy=draw(st.sampled_from(("", "none", "http://proxy.example:3128"))),
            allow=draw(TERMS),
        )
        for one in names
        for other in names
        if one != other and draw(st.booleans())
    ]
    titled: dict[tuple[str, str], MeshLink] = {}
    for link in links:
        titled.setdefault((link.from_, link.title), link)
    served = {spec.service for site in sites.values() for spec in site.connectors.values()}
    return Mesh(
        name=draw(st.sampled_from(NAMES)),
        sites=sites,
        links=tuple(titled.values()),
        services=services,
        assume=draw(
            st.dictionaries(
                st.sampled_from(titles),
                st.builds(
                    AssumedWork,
                    service_time_s=st.integers(1, 60_000).map(lambda ms: ms / 1000),
                    slots=st.integers(1, 10_000),
                    targets=st.integers(1, 100),
                ),
            )
        ),
        tests=tuple(draw(sentences(names, tuple(served)))) if served else (),
    )


@st.composite
def _sites(
    draw: st.DrawFn, name: str, services: tuple[str, ...], names: tuple[str, ...]
) -> MeshSite:
    in_namespace = draw(st.booleans())
    config = st.dictionaries(st.just("router-mode"), st.just("interior"), max_size=1)
    own: dict[str, Any] = {}
    if in_namespace:
        own["at"] = MeshPlace(
            runtime="kubernetes",
            namespace=name,
            context=draw(st.sampled_from(("", "prod", "arn:aws:eks/x y", "7"))),
            config=draw(config),
        )
    else:
        own["settings"] = draw(SETTINGS)
        own["at"] = MeshPlace(
            runtime=draw(st.sampled_from(("process", "systemd", "podman", "elsewhere"))),
            host=draw(st.sampled_from(("", "rhel-7", "a.example"))),
        )
    return MeshSite(
        id=draw(st.sampled_from(("", IDS[name]))),
        connectors=draw(connectors(services)),
        listeners=draw(listeners(services)),
        policies=draw(policies(services, names)),
        **own,
    )


@st.composite
def networks(draw: st.DrawFn) -> list[SiteSurvey]:
    """Surveys of sites that run, made by hand: documents, links and whom they let in."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    titles = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)))
    spec = draw(SERVICE_SPECS)
    links: dict[str, dict[str, LinkState]] = {name: {} for name in names}
    admitted: dict[str, list[Letting]] = {name: [] for name in names}
    for name in names:
        for other in draw(st.lists(st.sampled_from((*names, "stranger")), unique=True, max_size=3)):
            if other == name:
                continue
            title = draw(st.sampled_from((other, "up")))
            shown = draw(st.sampled_from((other, names[0]))) if other == "stranger" else other
            state = LinkState(site_id=IDS.get(other, STRANGE), site_name=shown)
            if title not in links[name]:
                links[name][title] = state
                if other in admitted:
                    terms = draw(st.none() | TERMS)
                    admitted[other].append(Letting(site_id=IDS[name], name=name, terms=terms))
    found: list[SiteSurvey] = []
    for name in names:
        documents = [Document("Site", name, draw(SETTINGS))]
        documents += [
            Document("Service", title, draw(st.just(spec) | SERVICE_SPECS))
            for title in titles
            if draw(st.booleans())
        ]
        documents += [Document("Connector", t, s) for t, s in draw(connectors(titles)).items()]
        documents += [Document("Listener", t, s) for t, s in draw(listeners(titles)).items()]
        whom = (*names, "dials-in", "stranger")
        documents += [Document("Policy", t, s) for t, s in draw(policies(titles, whom)).items()]
        documents += [
            Document("Link", title, LinkSpec(cost=draw(st.none() | st.integers(1, 9))))
            for title in links[name]
        ]
        found.append(
            SiteSurvey(
                name=name,
                place=f"/sites/{name}",
                is_there=True,
                id=IDS[name],
                runtime="process",
                documents=tuple(documents),
                links=links[name],
                admitted=tuple(admitted[name]),
                is_running=True,
            )
        )
    return found
