"""Events about targets and listeners: once for each change."""

from collections.abc import Mapping

import msgspec

from router.balance.site_gate import RateState
from router.exchange.clients.listeners import FIRST_DOES_NOT
from router.model import limits
from router.model.addresses import join
from router.model.ids import ServiceKey
from router.node.services.changes import ServiceChanges
from router.node.services.drain_share import DRAINED
from router.service.figures import ListenerState, TargetInfo
from tests.unit.journal import Journal

SHOP = ServiceKey("shop", 8080)


def target(ready: bool) -> dict[ServiceKey, list[TargetInfo]]:
    info = TargetInfo(
        name="here",
        host="10.0.0.1",
        port=80,
        ready=ready,
        in_flight=0,
        capacity=None,
        requests_total=0,
        error="" if ready else "refused",
    )
    return {SHOP: [info]}


def listener(error: str) -> dict[ServiceKey, ListenerState]:
    state = ListenerState(key=SHOP, host="127.0.0.1", port=8080, listening=not error, error=error)
    return {SHOP: state}


def way_back(key: ServiceKey) -> str:
    return f"sitectl service drain {key.name} --to 100%"


def look(
    changes: ServiceChanges,
    targets: Mapping[ServiceKey, list[TargetInfo]],
    listeners: Mapping[ServiceKey, ListenerState] | None = None,
) -> None:
    standing = {
        key: {join(info.host, info.port): info.ready for info in infos}
        for key, infos in targets.items()
    }
    changes.look(standing, lambda key: targets[key], listeners or {})


def test_a_target_is_told_of_when_it_comes_and_goes_and_not_in_between() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    looks = [False, True, True, False, False, True]
    told = []
    for ready in looks:
        look(changes, target(ready))
        told.append(journal.told())
    assert told == [[], ["target-up"], [], ["target-down"], [], ["target-up"]]


def test_a_target_that_ends_what_it_has_is_not_down() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    look(changes, target(ready=True))
    journal.told()
    (known,) = target(ready=False)[SHOP]
    look(changes, {SHOP: [msgspec.structs.replace(known, leaving=True, in_flight=1)]})
    assert journal.told() == []
    look(changes, target(ready=True))
    assert journal.told() == ["target-up"]


def test_a_removed_target_is_no_event_and_starts_afresh() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    look(changes, target(True))
    look(changes, {})
    look(changes, target(True))
    assert journal.told() == ["target-up", "target-up"]


def test_a_listener_that_cannot_be_bound_is_told_of_once_per_reason() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    told = []
    for error in ("", "taken", "taken", "forbidden", "", ""):
        look(changes, {}, listener(error))
        told.append(journal.told())
    assert told == [[], ["listener-failed"], [], ["listener-failed"], ["listener-bound"], []]


def test_what_is_told_of_a_target_is_found_by_its_service() -> None:
    """`events --service shop`, which the hints of its notes name, showed none of it."""
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    look(changes, target(True))
    look(changes, target(False))
    look(changes, target(True))
    drained = msgspec.structs.replace(target(False)[SHOP][0], error=DRAINED)
    look(changes, {SHOP: [drained]})
    codes = ["target-up", "target-down", "target-up", "target-down"]
    assert [(one.code, one.service) for one in journal.events] == [(code, "shop") for code in codes]


def test_a_listener_that_was_never_there_before_is_not_said_to_be_there_again() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    look(changes, {}, listener("taken"))
    look(changes, {}, listener(""))
    assert journal.events[-1].message == "Service shop:8080 has a listener here now."


def test_an_ipv6_target_is_named_with_its_brackets() -> None:
    journal = Journal()
    info = msgspec.structs.replace(target(True)[SHOP][0], host="::1")
    look(ServiceChanges(journal.tell, way_back), {SHOP: [info]})
    assert [one.subject for one in journal.events] == ["[::1]:80"]


def test_a_target_that_is_ejected_is_told_of_with_its_reason_and_its_way_back() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    look(changes, target(True))
    reason = "ejected for 4 s: 5 requests in a row were reset"
    info = msgspec.structs.replace(target(False)[SHOP][0], error=reason, ejected=True, since=10.0)
    look(changes, {SHOP: [info]})
    look(changes, {SHOP: [msgspec.structs.replace(target(True)[SHOP][0], since=14.25)]})
    told = [(one.code, one.message, one.hint) for one in journal.events]
    assert told[1:] == [
        (
            "target-down",
            f"Target 10.0.0.1:80 of shop:8080 is down: {reason}",
            "It is checked after that time and used again if it answers.",
        ),
        ("target-up", "Target 10.0.0.1:80 of shop:8080 is ready again, after 4.2 s.", ""),
    ]


def test_a_target_of_a_drained_service_is_no_fault_and_its_way_back_is_the_drain() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    look(changes, target(True))
    look(changes, {SHOP: [msgspec.structs.replace(target(False)[SHOP][0], error=DRAINED)]})
    told = [(one.severity, one.code, one.message, one.hint) for one in journal.events]
    assert told[1:] == [
        (
            "info",
            "target-down",
            "Target 10.0.0.1:80 of shop:8080 takes nothing new: its service is drained here.",
            "To use it again: sitectl service drain shop --to 100%",
        )
    ]


def test_a_worker_that_waits_for_the_listener_of_the_first_one_has_no_news() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    for error in (FIRST_DOES_NOT, "", "cannot listen", FIRST_DOES_NOT):
        look(changes, {}, listener(error))
    assert journal.told() == ["listener-failed"], "another process has the port still"
    look(changes, {}, listener(""))
    assert journal.told() == ["listener-bound"]


def test_a_rate_is_kept_again_when_no_worker_is_over_its_share() -> None:
    journal = Journal()
    changes = ServiceChanges(journal.tell, way_back)
    calm = RateState(
        per_s=5.0,
        resume_per_s=4.0,
        window_s=15.0,
        asked_s=15.0,
        asked_per_s=9.0,
        admitted_per_s=5.0,
        free=0,
        is_over=False,
    )
    over = msgspec.structs.replace(calm, is_over=True)
    partly = msgspec.structs.replace(calm, partly_over=True)
    for now, state in enumerate((partly, over, partly, over, partly, calm)):
        changes.look_at_rates({SHOP: state}, float(now))
    assert journal.told() == ["rate-exceeded", "rate-kept"]


def test_a_site_that_served_its_rate_all_along_does_not_take_requests_again() -> None:
    """With ``--spill excess`` only the requests above the rate spilled."""
    said: list[str] = []
    changes = ServiceChanges(lambda *event, **_: said.append(event[3]), way_back)
    calm = RateState(
        per_s=10.0,
        resume_per_s=20 / 3,
        window_s=5.0,
        asked_s=5.0,
        asked_per_s=0.2,
        admitted_per_s=0.2,
        free=50,
        is_over=False,
    )
    changes.look_at_rates({SHOP: msgspec.structs.replace(calm, is_over=True)}, 10.0)
    changes.look_at_rates({SHOP: calm}, 56.0)
    assert said[1:] == [
        "Service shop:8080 is below 6.67/s again here, 0.2/s asked for over 5 s, after 46 s."
    ]


def test_a_rate_that_is_taken_off_is_exceeded_no_more() -> None:
    said: list[tuple[str, str]] = []
    changes = ServiceChanges(lambda *event, **_: said.append((event[1], event[3])), way_back)
    over = RateState(
        per_s=5.0,
        resume_per_s=4.0,
        window_s=15.0,
        asked_s=15.0,
        asked_per_s=9.0,
        admitted_per_s=5.0,
        free=0,
        is_over=True,
    )
    changes.look_at_rates({SHOP: over}, 10.0)
    for now in (17.0, 18.0):
        changes.look_at_rates({}, now)
    assert said[1:] == [
        ("rate-kept", "Service shop:8080 has no rate here any more; it was over it for 7 s.")
    ]


def test_a_rate_that_is_used_up_early_in_its_window_is_told_without_a_demand_below_it() -> None:
    for asked_per_s, asked_s, why in (
        (9.2, 10.0, "what it may take in 10 s is used up"),
        (20.0, 10.0, "20.0/s asked for over 10 s"),
        (50.0, 2.8, "50.0/s asked for over 2.8 s"),
        (150.0, limits.RATE_COUNTED_MIN_S, "what it may take in 10 s is used up"),
    ):
        said: list[str] = []
        changes = ServiceChanges(lambda *event, said=said, **_: said.append(event[3]), way_back)
        state = RateState(
            per_s=14.0,
            resume_per_s=10.0,
            window_s=10.0,
            asked_s=asked_s,
            asked_per_s=asked_per_s,
            admitted_per_s=9.2,
            free=0,
            is_over=True,
        )
        changes.look_at_rates({SHOP: state}, 1.0)
        assert said == [f"Service shop:8080 is over its 14/s here, {why}."]
