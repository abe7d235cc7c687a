"""Commands that remove documents of a namespace, where verbs refuse to."""

from typing import Literal

from router.kubernetes.translation.document_places import own_place, removals
from router.model.specs import Document, LinkSpec, ServiceSpec


def document(kind: Literal["Link", "Service"], name: str, source: str, line: int = 1) -> Document:
    spec = LinkSpec() if kind == "Link" else ServiceSpec(protocol="http", ports=(80,))
    return Document(kind=kind, name=name, spec=spec, source=source, line=line)


def test_an_object_that_is_one_document_is_deleted_and_a_place_of_several_edited() -> None:
    found = [
        document("Link", "west", "Link/west"),
        document("Link", "east", "AccessToken/token-east"),
        document("Link", "north", "ConfigMap/links[all.yaml]"),
        document("Service", "west", "Listener/west"),
    ]
    assert removals(found, "Link") == {
        "west": "kubectl delete link/west",
        "east": "kubectl delete accesstoken/token-east",
        "north": "kubectl edit configmap/links",
    }
    assert removals(found, "Service") == {"west": "kubectl delete listener/west"}


def test_documents_that_verbs_wrote_need_no_other_command() -> None:
    ours = [
        document("Link", "west", own_place("Link", "west")),
        document("Service", "shop", own_place("Service", "shop")),
    ]
    assert removals(ours, "Link") == removals(ours, "Service") == {}


def test_of_two_documents_the_one_that_counts_is_removed() -> None:
    ours = own_place("Service", "shop")
    found = [document("Service", "shop", "Listener/shop"), document("Service", "shop", ours)]
    assert removals(found, "Service") == {}
    found.append(document("Service", "shop", "ConfigMap/a[all.yaml]"))
    assert removals(found, "Service") == {"shop": "kubectl edit configmap/a"}
