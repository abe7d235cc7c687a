"""The meaning of one code."""

import msgspec


class Code(msgspec.Struct, frozen=True):
    """``title``: a few words. ``meaning``: what happened. ``step``: what to do next."""

    code: str
    title: str
    meaning: str
    step: str

    @property
    def doc(self) -> str:
        """The code's place in the documentation."""
        return f"docs/codes.md#{self.code.lower()}"
