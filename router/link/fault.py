"""Why a lane, or a link, ended."""

from typing import Literal

import msgspec

FaultKind = Literal["lost", "refused", "violation"]


CRASHED = "crashed"
"""A router leaves with this code when its first worker died: it drains, and is no planned stop."""


OLD_CERTIFICATE = "old-certificate"
"""The dialer shows a certificate of a replaced CA, and its site has a newer one: the process that
dialed reads it within seconds."""


class Fault(msgspec.Struct, frozen=True):
    """Why a lane or a link ended. ``refused``: one end does not want the other. ``violation``: one
    end broke the protocol. ``lost``: everything else. ``hint`` is the operator's next step."""

    code: str
    reason: str
    hint: str = ""
    kind: FaultKind = "lost"

    def __str__(self) -> str:
        return f"{self.reason}. {self.hint}" if self.hint else self.reason
