"""Events of a shared listener whose new connections go to other services than before."""

from router.model.ids import ServiceKey
from router.model.service_choice import ServiceChoice
from router.node.services.listeners.switches import ListenerSwitches

A, B, C = (ServiceKey(name, 1) for name in "abc")
AT = "New connections at 127.0.0.1:9000"
NOT_SERVED = "no site that is reached and may serve it has a ready target"


class Listener:
    """Of service ``a``; others share it."""

    def __init__(self, *keys: ServiceKey, weights: tuple[int, ...] = ()) -> None:
        self.told: list[tuple[str, str]] = []
        self.choice = ServiceChoice(keys, weights)
        self.switches = ListenerSwitches(self.tell)

    def tell(self, severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        assert (code, subject) == ("listener-switched", "a:1")
        self.told.append((severity, message))

    def serves(self, *served: ServiceKey) -> list[tuple[str, str]]:
        self.told.clear()
        place = ("127.0.0.1", 9000)
        self.switches.look({A: self.choice}, lambda key: place, lambda key: key in served)
        return self.told


def test_each_switch_is_told_with_its_reason_and_the_first_is_none() -> None:
    listener = Listener(A, B)
    assert listener.serves() == listener.serves(A) == listener.serves(A, B) == []
    away = f"{AT} go to b, no longer to a: of a {NOT_SERVED}."
    assert listener.serves(B) == [("warning", away)]
    assert listener.serves(B) == []
    home = f"{AT} go to a, no longer to b: a is served, and comes first."
    assert listener.serves(A, B) == [("info", home)]


def test_a_listener_that_reaches_nothing_for_a_while_has_not_switched() -> None:
    listener = Listener(A, B)
    assert listener.serves(A) == listener.serves() == listener.serves(A) == []
    assert listener.serves() == []
    assert [severity for severity, _ in listener.serves(B)] == ["warning"]


def test_a_choice_that_the_last_look_did_not_find_asks_for_another_look() -> None:
    """As where none was served as the last connection came, and the other one since."""
    listener = Listener(A, B)
    assert not listener.switches.knows(A, A)
    assert listener.serves() == listener.serves(B) == []
    assert listener.switches.knows(A, B) and not listener.switches.knows(A, A)
    assert [severity for severity, _ in listener.serves(A, B)] == ["info"]
    assert listener.switches.knows(A, A)


def test_with_weights_it_is_told_who_shares_new_connections() -> None:
    listener = Listener(A, B, C, weights=(3, 1, 0))
    assert listener.serves(A, B, C) == []
    assert listener.serves(A, C) == [
        ("warning", f"{AT} go to a, no longer to b: of b {NOT_SERVED}.")
    ]
    assert listener.serves(A, B) == [("info", f"{AT} go to a and b: b is served.")]


def test_another_document_is_a_reason_too() -> None:
    listener = Listener(A, B)
    assert listener.serves(A, B, C) == []
    listener.choice = ServiceChoice((C, B))
    assert listener.serves(A, B, C) == [
        ("info", f"{AT} go to c, no longer to a: its document names others now.")
    ]
    listener.choice = ServiceChoice((B, C))
    assert listener.serves(A, B, C) == [
        ("info", f"{AT} go to b, no longer to c: b is served, and comes first.")
    ]
    listener.choice = ServiceChoice((B, C), (1, 1))
    assert listener.serves(B, C) != []
    listener.choice = ServiceChoice((B, C), (1, 0))
    assert listener.serves(B, C) == [
        ("info", f"{AT} go to b, no longer to c: its document has other weights now.")
    ]
