"""Reading mesh files: their content, and each error with its place, reason and next step."""

import pytest

from router.model import limits
from router.model.errors import ConfigError
from router.model.rights.sharing import Terms
from router.model.specs import ConnectorSpec, GrantSpec, ServiceSpec, SitePolicySpec, TargetSpec
from sitectl.mesh.reading import read
from sitectl.mesh.values import MeshLink, MeshPlace, MeshService, MeshSite
from tests.unit.sitectl.mesh.texts import SPEC, mesh_of, text_of


def errors_of(text: str) -> list[ConfigError]:
    """Of a text that is no mesh."""
    mesh, errors = read(text, "mesh.yaml")
    assert mesh is None
    assert errors
    return errors


def only(text: str) -> ConfigError:
    """The one error of a text."""
    errors = errors_of(text)
    assert len(errors) == 1, errors
    return errors[0]


def test_a_whole_file_is_read() -> None:
    mesh = mesh_of(
        """\
sites:
  west:
    id: 00000000000000000000000000000001
    at: {runtime: systemd, host: rhel-7}
    settings: {ingressHosts: [west.example]}
    connectors:
      shop: {targets: [{host: 10.0.0.5, port: 8080}], capacity: 10}
  east:
    at:
      runtime: kubernetes
      namespace: shop
      context: prod
      config: {routers: 2, cluster-local: true}
  far:
    at: {runtime: elsewhere}
    policies: {shop: }
links:
- {from: west, to: east, name: up, cost: 5, disabled: true, proxy: none}
- {from: far, to: east, allow: {declare: [], import: [shop, db-*]}}
services:
  shop: {owner: west, also: [far], ports: [80], grants: [{site: far, verbs: [call]}]}
assume:
  shop: {serviceTime: 40ms, slots: 8, targets: 3}
tests:
- far may call shop
"""
    )
    assert mesh.name == "net"
    west, east, far = mesh.sites.values()
    assert west.id == f"{1:032x}"
    assert west.at == MeshPlace(runtime="systemd", host="rhel-7")
    assert west.settings.ingress_hosts == ("west.example",)
    assert west.connectors == {
        "shop": ConnectorSpec(
            service="shop", targets=(TargetSpec("10.0.0.5", port=8080),), capacity=10
        )
    }
    assert east.at.config == {"routers": "2", "cluster-local": "true"}, "as ConfigMaps have values"
    assert far == MeshSite(
        at=MeshPlace(runtime="elsewhere"), policies={"shop": SitePolicySpec(service="shop")}
    )
    assert mesh.links == (
        MeshLink(from_="west", to="east", name="up", cost=5, disabled=True, proxy="none"),
        MeshLink(from_="far", to="east", allow=Terms(declare=(), import_=("shop", "db-*"))),
    )
    assert [link.title for link in mesh.links] == ["up", "east"]
    grant = GrantSpec(site="far", verbs=("call",))
    assert mesh.services == {
        "shop": MeshService(
            owner="west", also=("far",), spec=ServiceSpec(ports=(80,)), grants=(grant,)
        )
    }
    assert (mesh.assume["shop"].service_time_s, mesh.assume["shop"].slots) == (0.04, 8)
    assert [sentence.line for sentence in mesh.tests] == [29]


def test_sections_that_are_empty_or_missing_are_none() -> None:
    mesh = mesh_of("sites: {west: }")
    assert mesh.sites == {"west": MeshSite()}
    assert (mesh.links, mesh.services, mesh.tests) == ((), {}, ())
    assert mesh_of("sites: {west: {connectors: , services: {}}}").sites == {"west": MeshSite()}


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("", "SW0740", "expected one document of kind Mesh"),
        ("- 1", "SW0740", "expected one document of kind Mesh"),
        ("text", "SW0740", "expected one document of kind Mesh"),
        (text_of(SPEC) * 2, "SW0101", "duplicate key 'apiVersion'"),
        (text_of(SPEC) + "---\n" + text_of(SPEC), "SW0740", "expected one document"),
        (text_of(SPEC).replace("Mesh", "Site"), "SW0740", "expected Mesh, got 'Site'"),
        (text_of(SPEC).replace("/v1", "/v2"), "SW0740", "expected spillway/v1"),
        (text_of(SPEC).replace("kind: Mesh\n", ""), "SW0740", "'kind' is missing"),
        (text_of(SPEC).replace("name: net\n", ""), "SW0101", "'name' is missing"),
        (text_of(SPEC).replace("name: net", "name: Net!"), "SW0101", "is not a name"),
        (text_of(SPEC).replace("spec:", "spce:"), "SW0101", "unknown field 'spce'"),
        ("apiVersion: spillway/v1\nkind: Mesh\nname: n\nspec: 1\n", "SW0101", "expected a mapping"),
        (text_of("sites: &a {}"), "SW0103", "an anchor"),
        (text_of("sites: *a"), "SW0103", "an alias"),
        (text_of("sites: !!map {}"), "SW0103", "a tag"),
        (text_of("sites: {a: {}, a: {}}"), "SW0101", "duplicate key 'a'"),
        (text_of("sites: {? [1] : 2}"), "SW0101", "a key must be a word"),
        (text_of("sites: " + "[" * 99 + "]" * 99), "SW0103", "nested deeper than"),
        ("#" * (limits.CONFIG_FILE_BYTES_MAX + 1), "SW0101", "bytes, expected at most"),
        ("a: \0", "SW0102", "not valid YAML"),
        ("a: \udcff", "SW0102", "not valid YAML"),
    ],
)
def test_a_text_that_is_no_mesh_file_says_why(text: str, code: str, reason: str) -> None:
    errors = errors_of(text)
    assert {error.code for error in errors if reason in error.reason} == {code}, errors
    assert all(error.line >= 1 and error.source == "mesh.yaml" for error in errors)


@pytest.mark.parametrize(
    ("spec", "path", "reason", "hint", "code"),
    [
        ("sites: {}", "$.spec.sites", "there is no site", "sites: {NAME: {}}", "SW0740"),
        ("links: []", "$.spec.sites", "there is no site", "sites: {NAME: {}}", "SW0740"),
        ("site: {}", "$.spec", "unknown field 'site'", "'sites'", "SW0101"),
        ("sites: [a]", "$.spec.sites", "expected", "", "SW0101"),
        ("sites: {A b: {}}", "$.spec.sites.A b", "is not a name", "'a-b'", "SW0101"),
        ("sites: {a: 1}", "$.spec.sites.a", "expected a mapping", "", "SW0101"),
        ("sites: {a: {ids: x}}", "$.spec.sites.a", "unknown field 'ids'", "'id'", "SW0101"),
        ("sites: {a: {id: 1f}}", "$.spec.sites.a.id", "no site ID", "sitectl status", "SW0101"),
        (
            "sites: {a: {at: {runtime: docker}}}",
            "$.spec.sites.a.at.runtime",
            "expected one of process, systemd, podman, kubernetes, elsewhere",
            "",
            "SW0101",
        ),
        (
            "sites: {a: {at: {runtime: kubernetes}}}",
            "$.spec.sites.a",
            "needs a namespace",
            "at: {namespace: NAME}",
            "SW0101",
        ),
        (
            "sites: {a: {at: {namespace: x}}}",
            "$.spec.sites.a.at",
            "are of runtime kubernetes",
            "runtime: kubernetes",
            "SW0101",
        ),
        (
            "sites: {a: {at: {runtime: kubernetes, namespace: a}, settings: {ingress: none}}}",
            "$.spec.sites.a.settings",
            "has no Site document",
            "config: {",
            "SW0101",
        ),
        (
            "sites: {a: {at: {runtime: kubernetes, namespace: a, config: {x: [1]}}}}",
            "$.spec.sites.a.at.config.x",
            "expected a text",
            "",
            "SW0101",
        ),
        (
            "sites: {a: {at: {runtime: kubernetes, namespace: a, config: {routers: many}}}}",
            "$.spec.sites.a.at.config.routers",
            "expected a whole number",
            "",
            "SW0405",
        ),
        (
            "sites: {a: {at: {runtime: kubernetes, namespace: n}}, "
            "b: {at: {runtime: kubernetes, namespace: n, context: c}}, "
            "c: {at: {runtime: kubernetes, namespace: n}}}",
            "$.spec.sites.c.at.namespace",
            "a is in namespace n already",
            "Choose another namespace",
            "SW0741",
        ),
        (
            "sites: {a: {connectors: {x: {targets: [{host: h}]}}}}",
            "$.spec.sites.a.connectors.x.targets[0]",
            "",
            "",
            "SW0101",
        ),
        ("sites: {a: {connectors: [x]}}", "$.spec.sites.a.connectors", "by name", "", "SW0101"),
        ("sites: {a: {connectors: {X: }}}", "$.spec.sites.a.connectors.X", "name", "", "SW0101"),
        ("sites: {a: }\nlinks: {a: b}", "$.spec.links", "expected", "", "SW0101"),
        ("sites: {a: }\nlinks: [{from: a}]", "$.spec.links[0]", "'to' is missing", "", "SW0101"),
        (
            "sites: {aa: }\nlinks: [{from: aa, to: ab}]",
            "$.spec.links[0].to",
            "no site 'ab' in this file",
            "'aa'",
            "SW0741",
        ),
        (
            "sites: {aa: }\nlinks: [{from: xyz, to: aa}]",
            "$.spec.links[0].from",
            "no site 'xyz' in this file",
            "Add it under sites; there is: aa",
            "SW0741",
        ),
        (
            "sites: {a: }\nlinks: [{from: a, to: a}]",
            "$.spec.links[0]",
            "a cannot link to itself",
            "Let the other site dial",
            "SW0743",
        ),
        (
            "sites: {a: , b: {settings: {ingress: none}}}\nlinks: [{from: a, to: b}]",
            "$.spec.links[0]",
            "b accepts no links (ingress: none)",
            "Let the other site dial",
            "SW0743",
        ),
        (
            "sites: {a: , b: {settings: {routerMode: edge, ingress: none}}}\n"
            "links: [{from: a, to: b}]",
            "$.spec.links[0]",
            "b is an edge, which accepts no links",
            "Let the other site dial",
            "SW0743",
        ),
        (
            "sites: {a: , b: {at: {runtime: kubernetes, namespace: b, "
            "config: {router-mode: edge}}}}\nlinks: [{from: a, to: b}]",
            "$.spec.links[0]",
            "b is an edge, which accepts no links",
            "Let the other site dial",
            "SW0743",
        ),
        (
            "sites: {a: , b: , c: }\nlinks: [{from: a, to: b, name: x}, {from: a, to: c, name: x}]",
            "$.spec.links[1]",
            "a has a link 'x' already, the first of the list",
            "Give one of them a name",
            "SW0743",
        ),
        (
            "sites: {a: , b: }\n"
            "links: [{from: a, to: b}, {from: a, to: b, name: x, allow: {import: []}}]",
            "$.spec.links[1]",
            "a links to b on other terms already, the first of the list",
            "same allow",
            "SW0743",
        ),
        (
            "sites: {a: , b: }\nlinks: [{from: a, to: b, allow: {import: [A]}}]",
            "$.spec.links[0].allow.import[0]",
            "names no services",
            "lower case",
            "SW0101",
        ),
        ("sites: {a: }\nservices: {s: }", "$.spec.services.s", "mapping", "", "SW0101"),
        (
            "sites: {a: }\nservices: {s: {ports: [1]}}",
            "$.spec.services.s",
            "field 'owner' is missing",
            "The site that declares the service",
            "SW0101",
        ),
        (
            "sites: {a: }\nservices: {s: {owner: x, ports: [1]}}",
            "$.spec.services.s.owner",
            "no site 'x'",
            "there is: a",
            "SW0741",
        ),
        (
            "sites: {a: }\nservices: {s: {owner: a, ports: [1], also: [a, x]}}",
            "$.spec.services.s.also[1]",
            "no site 'x'",
            "there is: a",
            "SW0741",
        ),
        (
            "sites: {a: {services: {s: {ports: [2]}}}}\nservices: {s: {owner: a, ports: [1]}}",
            "$.spec.sites.a.services",
            "a declares s a second time, under services",
            "Keep one of them",
            "SW0741",
        ),
        (
            "sites: {a: }\n"
            "services: {s: {owner: a, ports: [1], grants: [{site: x, verbs: [call]}]}}",
            "$.spec.services.s.grants[0].site",
            "no site 'x'",
            "there is: a",
            "SW0741",
        ),
        (
            "sites: {a: }\n"
            "services: {s: {owner: a, ports: [1], grants: [{site: a, verbs: [eat]}]}}",
            "$.spec.services.s.grants[0].verbs[0]",
            "eat",
            "",
            "SW0101",
        ),
        (
            "sites: {a: }\nassume: {s: {slots: 1}}",
            "$.spec.assume.s",
            "no service 's'",
            "Add it under services",
            "SW0741",
        ),
        (
            "sites: {a: }\nservices: {s: {owner: a, ports: [1]}}\nassume: {s: {slots: 0}}",
            "$.spec.assume.s.slots",
            "from 1 to 10000",
            "",
            "SW0101",
        ),
        ("sites: {a: }\ntests: [a may eat s]", "$.spec.tests[0]", "no sentence", "SITE", "SW0742"),
        ("sites: {a: }\ntests: [{a: b}]", "$.spec.tests[0]", "expected a sentence", "", "SW0101"),
        (
            "sites: {a: }\ntests: [a may call shop]",
            "$.spec.tests[0]",
            "no service 'shop'",
            "Add it",
            "SW0741",
        ),
        (
            "sites: {a: }\nservices: {s: {owner: a, ports: [1]}}\ntests: [b may call s]",
            "$.spec.tests[0]",
            "no site 'b'",
            "there is: a",
            "SW0741",
        ),
        (
            "sites: {a: }\nservices: {s: {owner: a, ports: [1]}}\ntests: [a may call s]",
            "$.spec.tests[0]",
            "no site of this file has targets of s",
            "Add a connector",
            "SW0741",
        ),
        (
            "sites: {a: {connectors: {s: {targets: [{host: h, ports: [1, 2]}]}}}}\n"
            "services: {s: {owner: a, ports: [1]}}",
            "$.spec.sites.a",
            "a: service 's' has 1 port (1), target h has 2",
            "one target port for each",
            "SW0107",
        ),
        (
            "sites: {a: {policies: {x: {service: s}, y: {service: s}}}}",
            "$.spec.sites.a",
            "service 's' has policy 'x' at this site already",
            "Remove one",
            "SW0107",
        ),
    ],
)
def test_an_error_has_its_place_reason_and_next_step(
    spec: str, path: str, reason: str, hint: str, code: str
) -> None:
    error = only(text_of(spec))
    assert error.path == path
    assert reason in error.reason
    assert hint in error.hint
    assert error.code == code
    assert error.line > 4 or path == "$.spec.sites"


def test_the_place_of_an_error_is_the_node_that_is_wrong() -> None:
    error = only(text_of(SPEC.replace("to: west, cost: 5", "to: wost, cost: 5")))
    assert (error.line, error.column) == (10, 22)
    error = only(text_of(SPEC + "tests:\n- north may call shop\n"))
    assert (error.line, error.column) == (15, 5)


def test_one_text_tells_all_its_errors_in_the_order_of_the_file() -> None:
    errors = errors_of(
        text_of(
            "sites: {a: {id: x}, b: {at: {runtime: no}}}\n"
            "links: [{from: a}]\n"
            "services: {s: {owner: a, ports: [0]}}\n"
            "tests: [eat]"
        )
    )
    assert [error.path for error in errors] == [
        "$.spec.sites.a.id",
        "$.spec.sites.b.at.runtime",
        "$.spec.links[0]",
        "$.spec.services.s.ports[0]",
        "$.spec.tests[0]",
    ]


def test_of_many_errors_only_so_many_are_told() -> None:
    links = "".join(f"- {{from: x{number}, to: y}}\n" for number in range(500))
    errors = errors_of(text_of(f"sites: {{a: }}\nlinks:\n{links}"))
    assert len(errors) == limits.CONFIG_ERRORS_MAX


def test_a_hint_lists_no_more_names_than_a_line_holds() -> None:
    sites = "".join(f"  site-{number}: {{}}\n" for number in range(900))
    error = only(text_of(f"sites:\n{sites}links: [{{from: site-1, to: zzzz}}]"))
    assert len(error.hint) < 100
