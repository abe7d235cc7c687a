"""What a proxy answers is read alike from any cut of its bytes, and not a byte beyond."""

from hypothesis import given
from hypothesis import strategies as st

from router.model.limits import PROXY_ANSWER_BYTES_MAX
from router.net.proxy_connect import Answer, AnswerReader, ProxyRefusal, Through

STATUS = st.integers(100, 599).filter(lambda status: status != 101)
FIELD = st.from_regex(rb"[A-Za-z-]{1,9}: [ -~]{0,30}", fullmatch=True)
HEAD = st.builds(
    lambda status, fields: b"".join(
        b"%s\r\n" % line for line in (b"HTTP/1.1 %d Word" % status, *fields, b"")
    ),
    STATUS,
    st.lists(FIELD, max_size=4),
)


def read(data: bytes, cuts: set[int]) -> tuple[int, Answer | None]:
    """Read as a shell does: offer bytes that were not taken again, with the next ones."""
    reader, taken = AnswerReader(), 0
    edges = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    for end in edges:
        size, answer = reader.receive_data(data[taken:end])
        taken += size
        if answer is not None:
            return taken, answer
    return taken, None


@given(heads=st.lists(HEAD, min_size=1, max_size=4), rest=st.binary(max_size=40), data=st.data())
def test_an_answer_is_the_same_from_any_cut(
    heads: list[bytes], rest: bytes, data: st.DataObject
) -> None:
    wire = b"".join(heads) + rest
    cuts = data.draw(st.sets(st.integers(0, len(wire)), max_size=12))
    whole, cut = read(wire, set()), read(wire, cuts)
    assert cut[1] == whole[1]
    if isinstance(whole[1], Through):
        ends = [len(b"".join(heads[: count + 1])) for count in range(len(heads))]
        assert cut[0] == whole[0] and whole[0] in ends
        assert wire[: whole[0]].endswith(b"\r\n\r\n")


@given(noise=st.binary(max_size=200), cuts=st.sets(st.integers(0, 200), max_size=9))
def test_noise_never_gets_through_unless_it_says_so(noise: bytes, cuts: set[int]) -> None:
    _, answer = read(noise, cuts)
    assert not isinstance(answer, Through) or noise.startswith(b"HTTP/1.")


def test_the_longest_head_passes_and_one_byte_more_does_not() -> None:
    for extra, kind in ((0, Through), (1, ProxyRefusal)):
        line, end = b"HTTP/1.1 200 OK\r\nX: ", b"\r\n\r\n"
        size = PROXY_ANSWER_BYTES_MAX - len(line) - len(end) + extra
        answer = AnswerReader().receive_data(line + b"x" * size + end)[1]
        assert isinstance(answer, kind)
