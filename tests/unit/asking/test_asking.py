"""Questions between sites have bounds: how many are asked and answered at once, and how long."""

from typing import Any, cast

import msgspec
import pytest

from router.asking.desk import QuestionDesk
from router.asking.disclosure import Disclosure, QuestionOrigin
from router.asking.exchange import QuestionReply, QuestionSender
from router.asking.site_answer import SiteQuestion
from router.asking.sites import SiteQuestions, SiteReply
from router.link.ports import ASKS_SITE, ASKS_TARGETS, ECHOES, OpenRequest, Refusal
from router.model import limits
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.packed import pack
from router.model.rights.sharing import FREE, Party, SharingRules
from router.net.simulated.internet import SimulatedInternet
from router.service.figures import TargetInfo

SITE, ROUTER = SiteId("1" * 32), RouterId("1" * 16)
THE_SITE = SiteQuestion("site")


class Network:
    """A network of which only the clock is used."""

    def __init__(self) -> None:
        self.internet = SimulatedInternet(1)
        self.host = self.internet.host("10.0.0.1")


class SlowAsker:
    """Keeps questions open until the test answers them."""

    def __init__(self) -> None:
        self.open: list[Any] = []

    def ask(self, path: Any, flag: int, done: Any, **more: Any) -> None:
        self.open.append(done)


def sites() -> tuple[SiteQuestions, SlowAsker]:
    asker = SlowAsker()
    return SiteQuestions(cast(QuestionSender, asker), Network().host.now), asker


def test_a_link_that_takes_nothing_new_is_not_said_to_be_missing() -> None:
    """It drains, or has all the streams that it may have: `link status` still shows it."""

    class Draining:
        def open_stream(self, *_: Any, **__: Any) -> None:
            return None

    heard: list[QuestionReply] = []
    asking = QuestionSender(Network().host, Draining(), SITE)
    asking.ask((ROUTER,), ECHOES, heard.append)
    assert [reply.error for reply in heard] == ["no link to it takes new streams now"]


def test_only_so_many_sites_are_asked_at_once() -> None:
    asking, asker = sites()
    most = limits.SITE_QUESTIONS_AT_ONCE_MAX
    heard: list[SiteReply] = []

    def ask(number: int) -> bool:
        return asking.ask(SiteId(f"{number}"), (ROUTER,), THE_SITE, heard.append)

    assert all(ask(number) for number in range(most))
    assert ask(0)  # The same again waits with the first.
    assert not ask(most)
    assert len(asker.open) == most
    asker.open.pop(0)(QuestionReply(b"told"))
    assert [one.content for one in heard] == [b"told"] * 2
    assert ask(most)


def test_answers_are_kept_for_a_bounded_number_of_questions() -> None:
    asking, asker = sites()
    heard: list[SiteReply] = []
    for number in range(limits.SITE_ANSWERS_KEPT_MAX + 1):
        assert asking.ask(SITE, (ROUTER,), SiteQuestion("history", f"s{number}"), heard.append)
        asker.open.pop()(QuestionReply(b""))
    for number, again in ((0, False), (limits.SITE_ANSWERS_KEPT_MAX, True)):
        assert asking.ask(SITE, (ROUTER,), SiteQuestion("history", f"s{number}"), heard.append)
        assert bool(asker.open) == again


class OneStream:
    """What a question came by."""

    def __init__(self) -> None:
        self.refusal: Refusal | None = None
        self.sent = b""
        self.resets: list[str] = []
        self.leg: Any = None

    def lead_to(self, leg: Any) -> None:
        self.leg = leg

    def accept(self, in_flight: int) -> None:
        pass

    def refuse(self, reason: Refusal, in_flight: int) -> None:
        self.refusal = reason

    def send(self, data: bytes) -> bool:
        self.sent += data
        return False

    def finish(self, in_flight: Any = -1) -> None:
        pass

    def reset(self, code: str) -> None:
        self.resets.append(code)


class Teller:
    """Has told already."""

    def kept(self, question: SiteQuestion, asker: QuestionOrigin) -> bytes:
        return b"answer"


def test_only_so_many_answers_are_on_their_way() -> None:
    network = Network().host
    desk = QuestionDesk(
        network, QuestionSender(network, cast(Any, None), SITE), ROUTER, "1", lambda key: ()
    )
    desk.disclose_by(cast(Any, Teller()))
    request = OpenRequest(
        path=(ROUTER,),
        service=".",
        port=1,
        protocol="tcp",
        ingress=SITE,
        flags=ASKS_SITE,
        head=pack(THE_SITE),
    )

    def ask() -> OneStream:
        stream = OneStream()
        desk.take(
            cast(Any, stream),
            request,
            lambda: QuestionOrigin(Party(SITE, "west"), FREE),
            SharingRules(),
            cast(Any, None),
        )
        return stream

    open_ = [ask() for _ in range(limits.SITE_ANSWERS_AT_ONCE_MAX)]
    assert [stream.sent for stream in open_] == [b"answer"] * len(open_)
    assert ask().refusal == "busy"
    open_[0].leg.lost(None)  # It has left.
    assert ask().sent == b"answer"
    assert ask().refusal == "busy"


@pytest.mark.parametrize(("is_sibling", "is_silent"), [(True, False), (True, True), (False, False)])
def test_only_routers_of_this_site_hear_its_events_and_problems(
    is_sibling: bool, is_silent: bool
) -> None:
    network = Network().host
    desk = QuestionDesk(
        network, QuestionSender(network, cast(Any, None), SITE), ROUTER, "1", lambda key: ()
    )
    disclosure = Disclosure(SITE, cast(Any, None), network)
    disclosure.tell_siblings(lambda after: f"after {after}".encode())
    desk.disclose_by(disclosure)
    desk.set_silent(is_silent)
    stream = OneStream()
    request = msgspec.structs.replace(
        asks_targets("."), port=1, flags=ASKS_SITE, head=pack(SiteQuestion("news", after=7))
    )
    asking = QuestionOrigin(Party(SITE, "west"), FREE, is_sibling=is_sibling)
    rules, table = SharingRules(), cast(Any, None)
    desk.take(cast(Any, stream), request, lambda: asking, rules, table)
    assert stream.sent == (b"after 7" if is_sibling else b"")
    assert stream.refusal == (None if is_sibling else "no-target")


def target(number: int) -> TargetInfo:
    return TargetInfo(
        name=f"t{number}",
        host="10.0.0.7",
        port=80,
        ready=True,
        in_flight=number,
        capacity=1,
        requests_total=0,
        error="",
        ejected=False,
        since=0.0,
    )


def asks_targets(service: str) -> OpenRequest:
    return OpenRequest(
        path=(ROUTER,), service=service, port=80, protocol="tcp", ingress=SITE, flags=ASKS_TARGETS
    )


def test_targets_are_read_once_however_often_others_ask() -> None:
    network = Network()
    read: list[ServiceKey] = []

    def targets_of(key: ServiceKey) -> list[TargetInfo]:
        read.append(key)
        return [target(number) for number in range(3)] if key.name == "shop" else []

    desk = QuestionDesk(
        network.host, QuestionSender(network.host, cast(Any, None), SITE), ROUTER, "1", targets_of
    )

    def ask(service: str) -> bytes:
        stream = OneStream()
        desk.take_of_service(cast(Any, stream), asks_targets(service))
        return stream.sent

    first = ask("shop")
    for number in range(limits.INQUIRY_ANSWERS_KEPT_MAX + 1):  # Of which there are none here.
        ask(f"s{number}")
    assert [ask("shop") for _ in range(1_000)] == [first] * 1_000
    assert read.count(ServiceKey("shop", 80)) == 1
    network.internet.run_until(network.host.now() + limits.INQUIRY_KEPT_S + 0.01)
    ask("shop")
    assert read.count(ServiceKey("shop", 80)) == 2


def test_targets_are_kept_of_so_many_services() -> None:
    network = Network()
    read: list[str] = []

    def targets_of(key: ServiceKey) -> list[TargetInfo]:
        read.append(key.name)
        return [target(0)]

    desk = QuestionDesk(
        network.host, QuestionSender(network.host, cast(Any, None), SITE), ROUTER, "1", targets_of
    )
    names = [f"s{number}" for number in range(limits.INQUIRY_ANSWERS_KEPT_MAX)]
    for name in [*names, names[0], "one-more", names[0]]:
        desk.take_of_service(cast(Any, OneStream()), asks_targets(name))
    assert read == [*names, "one-more", names[0]]


class Echoing:
    """Answers a question with so many bytes."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.resets: list[str] = []
        self.handler: Any = None

    def open_stream(self, request: OpenRequest, handler: Any, *, ends: bool = False) -> Any:
        self.handler = handler
        return self

    def finish(self, in_flight: Any = -1) -> None:
        pass

    def reset(self, code: str) -> None:
        self.resets.append(code)


@pytest.mark.parametrize("more", [0, 1])
def test_an_answer_that_is_too_long_is_broken_off(more: int) -> None:
    size = limits.ECHO_BYTES_MAX
    end = Echoing(size + more)
    replies: list[QuestionReply] = []
    asker = QuestionSender(Network().host, cast(Any, end), SITE)
    asker.ask((ROUTER,), ECHOES, replies.append, bytes_max=size)
    end.handler.accepted(0)
    end.handler.received(memoryview(b"x" * (size + more)))
    end.handler.ended(-1)
    end.handler.lost(None)
    (reply,) = replies
    assert (reply.content is None) == bool(more)
    assert end.resets == ["cancelled"] * more
    assert reply.error == ("its answer is too long" if more else "")
