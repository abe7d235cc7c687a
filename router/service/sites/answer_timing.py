"""How the targets of one service port answered lately."""

IN_PARTS_AGAIN = 16
"""After an answer that was late or in parts, so many requests are expected to be
answered so, too.
"""


class AnswerTiming:
    """How the targets of one service port answered lately: whether ACCEPTED should wait, to be sent
    with the whole answer. A late answer, or one in parts, prevents that for a while.

    ``in_parts``: how many more requests are expected to be answered so.
    """

    __slots__ = ("in_parts",)

    def __init__(self) -> None:
        self.in_parts = 0
