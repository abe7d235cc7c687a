"""How the targets of one service port answered lately."""

IN_PARTS_AGAIN = 16
"""Requests that are taken to be answered late or in parts after one was."""


class AnswerHabit:
    """How the targets of one service port answered lately: whether ACCEPTED had better wait, to
    leave with the whole answer. What came late or in parts speaks against it for a while.

    ``in_parts``: how many more requests are taken to be answered so.
    """

    __slots__ = ("in_parts",)

    def __init__(self) -> None:
        self.in_parts = 0
