"""What a mesh file made at a site, as it is kept there."""

import pytest

from router.model.specs import Document, ServiceSpec, SiteSpec
from sitectl.mesh.record import MeshRecord, decoded, encoded

SITE = Document("Site", "west", SiteSpec())
SHOP = Document("Service", "shop", ServiceSpec(ports=(80,)))


def test_what_is_kept_is_read_back() -> None:
    record = decoded(encoded("net", [SITE, SHOP, SHOP]))
    assert record == MeshRecord(mesh="net", documents=(("Service", "shop"), ("Site", "west")))
    assert record.has("net", "Service", "shop")
    assert not record.has("net", "Connector", "shop")
    assert not record.has("other", "Service", "shop"), "what another network's file made stays"


def test_until_all_is_done_what_was_there_before_is_known_too() -> None:
    before = MeshRecord(mesh="net", documents=(("Service", "old"),))
    assert decoded(encoded("net", [SHOP], before)).has("net", "Service", "old")
    assert not decoded(encoded("net", [SHOP])).has("net", "Service", "old")
    assert not decoded(encoded("other", [SHOP], before)).has("other", "Service", "old")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"x"', '{"documents": [["a"]]}', '{"mesh": 1}', "\ufffd", "[" * 9_000]
)
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    assert decoded(text) == MeshRecord(), "then nothing is removed"
