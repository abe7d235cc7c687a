import pytest

from router.kubernetes.manifests.rights import MULTICLUSTER
from router.kubernetes.multicluster.availability import Availability
from router.kubernetes.multicluster.names import EXPORT, IMPORT
from router.kubernetes.objects.access_levels import AccessLevel

FULL = dict.fromkeys((EXPORT, IMPORT), AccessLevel.FULL)


def test_nothing_is_said_of_a_router_that_may_do_everything() -> None:
    assert not list(Availability(levels=FULL, may_import=True).lacking())


@pytest.mark.parametrize(
    ("kind", "level", "resources"),
    [
        (EXPORT, AccessLevel.NONE, ("serviceexports",)),
        (EXPORT, AccessLevel.READ, ("serviceexports/status",)),
        (IMPORT, AccessLevel.READ, ("serviceimports", "serviceimports/status")),
        (IMPORT, AccessLevel.NONE, ("serviceimports", "serviceimports/status")),
    ],
)
def test_the_rule_to_add_is_that_of_the_role_that_we_ship(
    kind: str, level: AccessLevel, resources: tuple[str, ...]
) -> None:
    (found,) = Availability(levels={**FULL, kind: level}, may_import=True).lacking()
    (right,) = (each for each in MULTICLUSTER if each.resources == resources)
    texts = [
        f"{word}: [" + ", ".join(f'"{one}"' for one in listed) + "]"
        for word, listed in (
            ("apiGroups", (right.group,)),
            ("resources", right.resources),
            ("verbs", right.verbs),
        )
    ]
    assert ", ".join(texts) in found.hint


def test_kinds_that_are_not_served_need_an_administrator_and_no_rule() -> None:
    gone = Availability(levels={}, may_import=False)
    (error,) = gone.lacking()
    assert "does not serve ServiceExports" in error.reason and "rule" not in error.hint
    (error,) = Availability(levels={}, may_import=False, was_served=True).lacking()
    assert "stays exported" in error.reason
    (error,) = Availability(levels={EXPORT: AccessLevel.FULL}, may_import=True).lacking()
    assert "does not serve ServiceImports" in error.reason
