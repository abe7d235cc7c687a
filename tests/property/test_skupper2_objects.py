"""Whatever objects of Skupper v2 hold in a namespace, they are read and get a status."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.objects import Snapshot
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.kubernetes.skupper2 import reading
from router.kubernetes.skupper2.network_facts import NetworkFacts
from router.kubernetes.skupper2.statuses import StatusInputs, statuses
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.translate import translate
from tests.property.test_skupper2 import VALUES, objects
from tests.unit.kubernetes.kept import seen

FACTS = NetworkFacts(version="1", is_ready=True)


@st.composite
def namespaces(draw: st.DrawFn) -> Snapshot:
    """A namespace with some such objects, as an API server without schemas would hold them."""
    by_kind: dict[str, dict[str, Any]] = {}
    for found in draw(st.lists(objects(), max_size=6)):
        kind = found.get("kind")
        metadata = found.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else ""
        if isinstance(kind, str) and isinstance(name, str) and kind:
            status = {"status": draw(VALUES)} if draw(st.booleans()) else {}
            by_kind.setdefault(kind, {})[name] = {**found, **status}
    claim = {"kind": "ConfigMap", "metadata": {"name": "skupper"}, "data": draw(VALUES)}
    by_kind.setdefault("ConfigMap", {})["skupper"] = claim
    if draw(st.booleans()):
        site = {"metadata": {"name": "skupper-site"}, "data": {"name": "a"}}
        by_kind["ConfigMap"]["skupper-site"] = site
    return seen("shop", by_kind)


@settings(deadline=None)
@given(snapshot=namespaces())
def test_any_objects_give_a_picture_and_statuses_that_can_be_written(snapshot: Snapshot) -> None:
    seen = reading.read(translate(snapshot), snapshot, SiteDefaults())
    names = [(one.kind, one.name) for one in seen.picture.documents]
    assert len(names) == len(set(names)), "no two documents of one name"
    inputs = StatusInputs(
        snapshot=snapshot,
        seen=seen,
        levels=dict.fromkeys(KINDS, AccessLevel.FULL),
        facts=FACTS,
        addresses=Addresses(waiting="none"),
        now="2026-01-01T00:00:00Z",
        errors=seen.picture.errors,
    )
    for (kind, name), status in statuses(inputs).items():
        assert msgspec.json.encode(status)
        assert status["status"] in ("Ready", "Pending", "Error")
        assert (status["message"] == "OK") == (status["status"] == "Ready"), (kind, name)


@settings(deadline=None)
@given(snapshot=namespaces())
def test_the_order_of_objects_says_nothing(snapshot: Snapshot) -> None:
    turned = {kind: dict(reversed(list(found.items()))) for kind, found in snapshot.objects.items()}
    other = seen(snapshot.namespace, dict(reversed(list(turned.items()))))
    first, second = (reading.read(translate(one), one, SiteDefaults()) for one in (snapshot, other))
    assert first.picture.documents == second.picture.documents
    assert [str(error) for error in first.picture.errors] == [
        str(error) for error in second.picture.errors
    ]
    assert (first.site, first.controller) == (second.site, second.controller)
