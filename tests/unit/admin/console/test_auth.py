"""Passwords, sessions and pacing: who may come in, for how long, and how often one may guess."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.console.auth import ConsoleSessions, FailureLimiter, Users, basic
from router.model import limits
from tests.examples import histories

KEY = b"k" * 32
EACH_S = limits.CONSOLE_FAILURE_EACH_S


def users(**passwords: str) -> Users:
    return Users(KEY, {name: word.encode() for name, word in passwords.items()})


def test_only_the_own_password_admits() -> None:
    known = users(admin="one", eve="two")
    assert known.admits("admin", "one")
    assert not known.admits("admin", "two")
    assert not known.admits("nobody", "one")
    assert not known.admits("", "")


def test_an_empty_password_admits_nobody() -> None:
    assert not users(admin="").admits("admin", "")
    assert len(users(admin="")) == 0


def test_two_users_with_one_password_have_different_proofs() -> None:
    known = users(a="same", b="same")
    assert known.proof("a") != known.proof("b")


@given(st.text(), st.text())
def test_a_basic_header_gives_back_what_went_in(user: str, password: str) -> None:
    try:
        packed = base64.b64encode(f"{user}:{password}".encode()).decode()
    except UnicodeEncodeError:
        return
    if ":" in user or len(packed) > limits.CONSOLE_LOGIN_BYTES_MAX:
        return
    found = basic(f"Basic {packed}")
    assert found is not None and found[1] == password


@pytest.mark.parametrize(
    "header", ["", "Bearer x", "Basic", "Basic !", "Basic bm9jb2xvbg==", "Basic /w==", "Basic é"]
)
def test_what_is_no_basic_header_shows_nobody(header: str) -> None:
    assert basic(header) is None


def test_a_basic_header_beyond_the_limit_is_not_read() -> None:
    room = limits.CONSOLE_LOGIN_BYTES_MAX // 4 * 3
    fits = base64.b64encode(b"a:" + b"x" * (room - 2)).decode()
    assert basic(f"Basic {fits}") is not None
    assert basic(f"Basic {base64.b64encode(b'a:' + b'x' * (room + 1)).decode()}") is None


def opened(*tokens: str, at: float = 0.0) -> tuple[ConsoleSessions, Users]:
    known = users(admin="one")
    proof = known.proof("admin")
    assert proof is not None
    sessions = ConsoleSessions()
    for token in tokens:
        sessions.open(token, "admin", proof, at)
    return sessions, known


def test_a_session_ends_when_it_is_not_used() -> None:
    sessions, known = opened("t")
    assert sessions.user("t", known, limits.CONSOLE_SESSION_IDLE_S - 0.1) == "admin"
    assert sessions.user("t", known, 2 * limits.CONSOLE_SESSION_IDLE_S - 0.2) == "admin"
    assert sessions.user("t", known, 3 * limits.CONSOLE_SESSION_IDLE_S) is None


def test_a_session_ends_when_it_is_old_however_it_is_used() -> None:
    sessions, known = opened("t")
    step, now = limits.CONSOLE_SESSION_IDLE_S / 2, 0.0
    while now + step < limits.CONSOLE_SESSION_S:
        now += step
        assert sessions.user("t", known, now) == "admin"
    assert sessions.user("t", known, limits.CONSOLE_SESSION_S) is None
    assert len(sessions) == 0


def test_another_password_ends_the_sessions_of_its_user_alone() -> None:
    sessions, known = opened("t")
    eve = users(admin="one", eve="two").proof("eve")
    assert eve is not None
    sessions.open("e", "eve", eve, 0.0)
    changed = users(admin="another", eve="two")
    assert not sessions.is_open("t", changed, 1.0)
    assert sessions.user("t", changed, 1.0) is None
    assert sessions.user("e", changed, 1.0) == "eve"
    assert sessions.user("t", known, 1.0) is None


def test_looking_whether_a_session_is_open_is_no_use_of_it() -> None:
    sessions, known = opened("t")
    assert sessions.is_open("t", known, limits.CONSOLE_SESSION_IDLE_S - 1)
    assert sessions.user("t", known, limits.CONSOLE_SESSION_IDLE_S) is None


def test_a_request_that_is_no_use_of_a_session_does_not_prolong_it() -> None:
    sessions, known = opened("t")
    late = limits.CONSOLE_SESSION_IDLE_S - 1
    assert sessions.user("t", known, late, is_use=False) == "admin"
    assert sessions.user("t", known, limits.CONSOLE_SESSION_IDLE_S, is_use=False) is None
    assert len(sessions) == 0


def test_an_ended_session_is_gone() -> None:
    sessions, known = opened("t")
    sessions.end("t")
    sessions.end("never")
    assert sessions.user("t", known, 0.0) is None


def test_one_session_too_many_ends_the_one_used_least_recently() -> None:
    tokens = [f"t{number}" for number in range(limits.CONSOLE_SESSIONS_MAX)]
    sessions, known = opened(*tokens)
    assert len(sessions) == limits.CONSOLE_SESSIONS_MAX
    assert sessions.user("t0", known, 1.0) == "admin"
    proof = known.proof("admin")
    assert proof is not None
    sessions.open("more", "admin", proof, 2.0)
    assert len(sessions) == limits.CONSOLE_SESSIONS_MAX
    assert sessions.user("t0", known, 2.0) == "admin"
    assert sessions.user("t1", known, 2.0) is None


STEPS = histories(
    st.tuples(
        st.sampled_from(["open", "use", "end", "change"]),
        st.integers(0, 400),
        st.floats(0, limits.CONSOLE_SESSION_S / 3),
    ),
    60,
)


@given(STEPS)
def test_sessions_never_outlive_their_bounds(steps: list[tuple[str, int, float]]) -> None:
    sessions, known, now, word = ConsoleSessions(), users(admin="0"), 0.0, 0
    born: dict[str, tuple[float, float, int]] = {}
    for what, number, pause in steps:
        now += pause
        token = f"t{number}"
        proof = known.proof("admin")
        assert proof is not None
        if what == "open":
            sessions.open(token, "admin", proof, now)
            born[token] = (now, now, word)
        elif what == "end":
            sessions.end(token)
            born.pop(token, None)
        elif what == "change":
            word += 1
            known = users(admin=str(word))
        elif sessions.user(token, known, now) is not None:
            began, used, then = born[token]
            assert now - began < limits.CONSOLE_SESSION_S
            assert now - used < limits.CONSOLE_SESSION_IDLE_S
            assert then == word
            born[token] = (began, now, then)
        assert len(sessions) <= limits.CONSOLE_SESSIONS_MAX


def test_a_source_may_fail_a_few_times_and_then_waits() -> None:
    pacing = FailureLimiter()
    for _ in range(limits.CONSOLE_FAILURES_BURST):
        assert pacing.wait_s("x", 0.0) == 0.0
        pacing.failed("x", 0.0)
    assert pacing.wait_s("x", 0.0) == pytest.approx(EACH_S)
    assert pacing.wait_s("y", 0.0) == 0.0
    assert pacing.wait_s("x", EACH_S) == 0.0
    pacing.failed("x", EACH_S)
    assert pacing.wait_s("x", EACH_S) == pytest.approx(EACH_S)


def test_sources_beyond_the_bound_share_one_account() -> None:
    pacing = FailureLimiter()
    for number in range(limits.CONSOLE_SOURCES_MAX):
        pacing.failed(str(number), 0.0)
    for number in range(limits.CONSOLE_FAILURES_BURST):
        assert pacing.wait_s(f"more{number}", 0.0) == 0.0
        pacing.failed(f"more{number}", 0.0)
    assert len(pacing) == limits.CONSOLE_SOURCES_MAX
    assert pacing.wait_s("another", 0.0) > 0.0
    assert pacing.wait_s("0", 0.0) == 0.0
    pacing.failed("later", EACH_S)  # Those of before have all their tries again.
    assert len(pacing) == 1


@given(histories(st.tuples(st.integers(0, 3), st.floats(0, 10)), 80))
def test_nobody_guesses_faster_than_the_pace(tries: list[tuple[int, float]]) -> None:
    pacing, now = FailureLimiter(), 0.0
    failed: dict[str, list[float]] = {}
    for number, pause in tries:
        now += pause
        source = str(number)
        if pacing.wait_s(source, now) > 0:
            continue
        pacing.failed(source, now)
        failed.setdefault(source, []).append(now)
    for times in failed.values():
        for index, begin in enumerate(times):
            for count, end in enumerate(times[index:], 1):
                most = limits.CONSOLE_FAILURES_BURST + (end - begin) / EACH_S
                assert count <= most + 1e-6
