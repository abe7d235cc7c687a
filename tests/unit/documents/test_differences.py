import msgspec
import pytest

from router.documents import read
from router.documents.differences import HIDDEN, differences
from router.model.events import Change
from router.model.limits import EVENT_VALUE_CHARS_MAX
from router.model.specs import Document

SERVICE = """apiVersion: spillway/v1
kind: Service
name: shop
spec:
  protocol: http
  ports: [8080]
"""
BURST = """apiVersion: spillway/v1
kind: Burst
name: more
spec:
  service: shop
  saturated: {full: 0.8}
  webhook: {url: "https://hooks.example/MARKER"}
"""


def documents(text: str) -> list[Document]:
    found, errors = read(text, "config/x.yaml")
    assert not errors, errors
    return found


def changes(before: str, now: str) -> dict[str, tuple[str, str]]:
    (found,) = differences(documents(before), documents(now))
    return {change.field: (change.old, change.new) for change in found.changes}


def test_a_field_that_is_left_out_has_its_default() -> None:
    plain = SERVICE.replace("  protocol: http\n", "")

    assert changes(SERVICE, plain) == {"protocol": ("http", "tcp")}
    assert changes(plain, SERVICE) == {"protocol": ("tcp", "http")}


def test_the_same_documents_elsewhere_are_no_difference() -> None:
    one = documents(SERVICE)
    moved = [msgspec.structs.replace(one[0], source="config/y.yaml", line=9)]

    assert differences(one, moved) == []


def test_a_changed_field_has_its_old_and_new_value() -> None:
    spread = SERVICE + "  policy: {name: spread}\n"

    assert changes(SERVICE, spread) == {"policy.name": ("", "spread")}
    assert changes(SERVICE, SERVICE.replace("[8080]", "[8080, 8081]")) == {
        "ports": ("8080", "8080, 8081")
    }


def test_documents_that_come_and_go_are_told_by_kind_and_name() -> None:
    (added,) = differences([], documents(SERVICE))
    (removed,) = differences(documents(SERVICE), [])

    assert (added.done, added.kind, added.name, added.service) == (
        "added",
        "Service",
        "shop",
        "shop",
    )
    assert Change(field="protocol", old="", new="http") in added.changes
    assert removed.done == "removed"
    assert Change(field="protocol", old="http", new="") in removed.changes


@pytest.mark.parametrize(
    "text",
    [
        BURST,
        BURST.replace('webhook: {url: "https://hooks.example/MARKER"}', "command: [x, --p=MARKER]"),
        """apiVersion: spillway/v1
kind: Link
name: east
spec:
  proxy: http://MARKER.example:8080
""",
        """apiVersion: spillway/v1
kind: Site
name: west
spec:
  linkProxy: http://MARKER.example:8080
""",
    ],
)
def test_a_text_that_may_hold_a_secret_is_not_shown(text: str) -> None:
    found = documents(text)
    told = str([differences([], found), differences(found, [])])

    assert "MARKER" not in told
    assert HIDDEN in told


def test_a_long_value_is_cut_at_its_bound() -> None:
    def path(length: int) -> str:
        spec = f"  service: shop\n  health: {{path: /{'a' * (length - 1)}}}\n"
        head = "apiVersion: spillway/v1\nkind: Connector\nname: c\nspec:\n"
        return changes(head + "  service: shop\n", head + spec)["health.path"][1]

    assert len(path(EVENT_VALUE_CHARS_MAX)) == EVENT_VALUE_CHARS_MAX
    assert not path(EVENT_VALUE_CHARS_MAX).endswith("…")
    assert len(path(EVENT_VALUE_CHARS_MAX + 1)) == EVENT_VALUE_CHARS_MAX
    assert path(EVENT_VALUE_CHARS_MAX + 1).endswith("…")


def test_shares_are_percentages() -> None:
    shared = SERVICE + "  policy: {name: fill, spillAt: 50%}\n"
    (found,) = differences(documents(SERVICE), documents(shared))
    assert [(one.field, one.new) for one in found.changes] == [("policy.spillAt", "50%")]


def test_fields_have_the_names_and_units_that_documents_have() -> None:
    late = SERVICE + "  queueWait: 5s\n  timeouts: {halfClosed: 90s}\n  maxAge: 1h\n"
    assert changes(SERVICE, late) == {
        "queueWait": ("", "5s"),
        "timeouts.halfClosed": ("", "90s"),
        "maxAge": ("", "1h"),
    }


def test_what_no_document_can_say_is_no_field() -> None:
    text = "apiVersion: spillway/v1\nkind: Connector\nname: c\nspec:\n  service: shop\n"
    (added,) = differences([], documents(text + "  targets: [{host: 10.0.0.1, port: 80}]\n"))
    assert [(one.field, one.new) for one in added.changes] == [
        ("service", "shop"),
        ("targets[0].host", "10.0.0.1"),
        ("targets[0].port", "80"),
    ]


@pytest.mark.parametrize("field", ["exportTo", "importFrom"])
def test_an_empty_list_of_sites_is_no_site_and_not_all_of_them(field: str) -> None:
    policy = "apiVersion: spillway/v1\nkind: Policy\nname: shop\nspec:\n  service: shop\n"
    nowhere, there = f"{policy}  {field}: []\n", f"{policy}  {field}: [east]\n"

    assert changes(policy, nowhere) == {field: ("", "none")}
    assert changes(there, nowhere) == {field: ("east", "none")}
    assert changes(nowhere, policy) == {field: ("none", "")}
