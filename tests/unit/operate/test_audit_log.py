import pytest

from router.admin.events import EventLog
from router.admin.ports import GivenCommand
from router.documents import read
from router.model.errors import ConfigError
from router.model.events import Event
from router.model.limits import EVENT_CHANGES_MAX
from router.model.specs import Document
from router.operate.record.audit_log import ORDERED_S, AuditLog, Author, told_of
from router.operate.record.journal import Journal

HEAD = "apiVersion: spillway/v1\nkind: {kind}\nname: shop\nspec:\n"
SERVICE = HEAD.format(kind="Service") + "  protocol: http\n  ports: [8080]\n"
CONNECTOR = HEAD.format(kind="Connector") + "  service: shop\n  capacity: 2\n"


def documents(*texts: str) -> list[Document]:
    found = [document for text in texts for document in read(text, "config/x.yaml")[0]]
    assert len(found) == len(texts)
    return found


UNIX_S = 1_700_000_000.0


class Books:
    """An `AuditLog` with its own clock."""

    def __init__(self, *known: str) -> None:
        self.now = 100.0
        self.written_at: float | None = None
        self.written: list[tuple[int, Event]] = []
        self.journal = Journal(
            EventLog(),
            lambda number, event: self.written.append((number, event)),
            lambda: "2026-01-01T00:00:00.000Z",
            lambda: self.now,
        )
        self.auditing = AuditLog(
            self.journal,
            lambda source: Author(f"alice (uid 1000), owner of {source}", self.written_at),
            documents(*known),
            lambda: self.now,
            lambda: self.now + UNIX_S,
        )

    def told(self) -> list[Event]:
        events, self.written = [event for _, event in self.written], []
        return events


def test_a_hand_edit_is_told_with_the_owner_of_the_file() -> None:
    books = Books(SERVICE)
    books.auditing.documents(documents(SERVICE + "  policy: {name: spread}\n"))

    (event,) = books.told()
    assert (event.kind, event.code, event.subject) == ("audit", "policy-changed", "Service/shop")
    assert event.by == "alice (uid 1000), owner of config/x.yaml"
    assert event.service == "shop"
    assert "policy.name unset -> spread" in event.message


def test_the_same_documents_again_tell_nothing() -> None:
    books = Books(SERVICE)
    books.auditing.documents(documents(SERVICE))

    assert books.told() == []


def test_a_change_right_after_a_reload_is_of_who_gave_it() -> None:
    books = Books(CONNECTOR)
    books.auditing.commanded(GivenCommand("bob (uid 7)", "reload", {}, done="Reading."))
    books.now += ORDERED_S
    books.auditing.documents(documents(CONNECTOR.replace("2", "5")))
    books.now += 0.1
    books.auditing.documents(documents(CONNECTOR))

    commanded, edited = books.told()
    assert (commanded.code, commanded.by) == ("capacity-changed", "bob (uid 7), by a command")
    assert commanded.changes[0].new == "5"
    assert edited.by.startswith("alice")


def test_a_hand_edit_right_after_a_command_is_of_the_owner_of_the_file() -> None:
    books = Books(CONNECTOR)
    books.written_at = UNIX_S + books.now
    books.now += 0.05
    books.auditing.commanded(GivenCommand("bob (uid 7)", "reload", {}, done="Reading."))
    books.auditing.documents(documents(CONNECTOR.replace("2", "5")))
    books.now += 0.5
    books.written_at = UNIX_S + books.now
    books.auditing.documents(documents(CONNECTOR))

    commanded, edited = books.told()
    assert commanded.by == "bob (uid 7), by a command"
    assert edited.by == "alice (uid 1000), owner of config/x.yaml"


def test_orders_are_told_with_who_gave_them_and_what_came_of_it() -> None:
    books = Books()
    books.auditing.commanded(
        GivenCommand("bob (uid 7)", "revoke", {"site": "x"}, done="Revoked x.")
    )
    books.auditing.commanded(GivenCommand("bob (uid 7)", "revoke", {"site": "y"}, failed="no disk"))

    done, failed = books.told()
    assert (done.code, done.severity, done.by) == ("command", "info", "bob (uid 7)")
    assert "revoke site=x" in done.message
    assert (failed.code, failed.severity) == ("command-failed", "warning")
    assert "no disk" in failed.message


@pytest.mark.parametrize(
    "body",
    [
        "  webhook: {url: 'ftp://h/MARKER'}\n",
        "  command: 'MARKER'\n",
        "  command: [a, '{{MARKER}}']\n",
        "  webhook: {url: 'https://h/', secret: 'MARKER/no-name'}\n",
    ],
)
def test_what_is_wrong_in_a_field_that_may_hold_a_secret_is_told_without_it(body: str) -> None:
    head = HEAD.format(kind="Burst") + "  service: shop\n  saturated: {full: 0.9}\n"
    _, errors = read(head + body, "config/x.yaml")

    assert any("MARKER" in str(error) for error in errors)
    for error in errors:
        message, hint = told_of(error)
        assert "MARKER" not in message.upper() + hint.upper()
        assert error.path in message


def test_what_is_wrong_in_another_field_is_told_as_it_is() -> None:
    _, (error,) = read(SERVICE.replace("http", "htpp"), "config/x.yaml")

    assert "'htpp'" in told_of(error)[0]


@pytest.mark.parametrize(
    ("annotation", "is_shown"), [("skupper.io/proxy", True), ("spillway.dev/link-proxy", False)]
)
def test_an_annotation_that_names_a_protocol_is_told_and_one_that_names_a_proxy_is_not(
    annotation: str, is_shown: bool
) -> None:
    path = f"metadata.annotations[{annotation}]"
    error = ConfigError("Service/web", path, "got 'htttp'", hint="Did you mean 'http'?")
    message, hint = told_of(error)
    assert ("'htttp'" in message) == ("'http'" in hint) == is_shown


def test_as_many_fields_are_told_as_may_be_and_no_more() -> None:
    def many(count: int) -> str:
        targets = ", ".join(f"{{host: 10.0.0.{n}, port: 1}}" for n in range(count // 2))
        return CONNECTOR + f"  targets: [{targets}]\n"

    books = Books(CONNECTOR)
    books.auditing.documents(documents(many(EVENT_CHANGES_MAX)))
    books.auditing.documents(documents(CONNECTOR))
    books.auditing.documents(documents(many(EVENT_CHANGES_MAX + 2)))

    fits, _, longer = books.told()
    assert len(fits.changes) == EVENT_CHANGES_MAX
    assert len(longer.changes) == EVENT_CHANGES_MAX
    assert "more fields" in longer.message


@pytest.mark.parametrize("more", ["", " and 1 more field"])
def test_a_policy_of_many_settings_says_how_many_it_left_out(more: str) -> None:
    books = Books(SERVICE)
    policy = HEAD.format(kind="Policy").replace("shop", "default")
    policy += "  service: shop\n  takes: 30%\n  maxShare: 50%\n  reserveForOwn: 10%\n"
    policy += "  siteCapacity: 15/s\n" if more else ""
    books.auditing.documents(documents(SERVICE, policy))
    (event,) = books.told()
    assert event.message.startswith("Policy/default was added: maxShare 50%, ")
    assert event.message.endswith(f"{more}.") and ("more field" in event.message) == bool(more)


def test_a_policy_that_comes_or_goes_says_what_it_sets() -> None:
    books = Books(SERVICE)
    policy = HEAD.format(kind="Policy").replace("shop", "default")
    policy += "  service: '*'\n  takes: 30%\n"
    books.auditing.documents(documents(SERVICE, policy))
    books.auditing.documents(documents(SERVICE, policy.replace("30%", "50%")))
    books.auditing.documents(documents(SERVICE))

    assert [event.message for event in books.told()] == [
        "Policy/default was added: service *, takes 30%.",
        "Policy/default was changed: takes 30% -> 50%.",
        "Policy/default was removed: service *, takes 50%.",
    ]
