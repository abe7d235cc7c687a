"""What `/api/v1/what-if` is asked and what it tells."""

import msgspec

from router.model.specs import PolicyName


class WhatIf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /api/v1/what-if. Sites by name or id; what is not named stays as it is.

    ``capacity``: of all ready targets of a site together, in requests at once; a second where its
    capacity is a rate. ``cost``: of the way there. ``window_s``: how far back; ``busiest``:
    not the newest time of that length but the one when most was asked. ``port`` None: the first of
    the service.
    """

    service: str
    port: int | None = None
    capacity: dict[str, int] = {}
    cost: dict[str, int] = {}
    policy: PolicyName | None = None
    window_s: float | None = None
    busiest: bool = False


class WhatIfSite(msgspec.Struct, frozen=True, kw_only=True):
    """A site in one of the two pictures. ``share`` of all that was asked.

    ``capacity`` None: none; ``rate``: it is in requests a second. ``taken``: slots that
    clients of other sites hold now, and so not counted on.
    """

    name: str
    id: str
    local: bool
    path_cost: int
    capacity: float | None
    rate: bool
    taken: int
    targets: int
    served: int
    share: float


class WhatIfSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Over time, one figure a step. ``served`` has one list for each of the picture's sites."""

    step_s: float
    offered: tuple[int, ...]
    served: tuple[tuple[int, ...], ...]
    refused: tuple[int, ...]
    queue: tuple[int, ...]
    p99_ms: tuple[float, ...]


class WhatIfPicture(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the decision code. ``overflow``: served elsewhere; ``refused``: by no site."""

    policy: str
    sites: tuple[WhatIfSite, ...]
    offered: int
    overflow: int
    refused: int
    p50_ms: float | None
    p99_ms: float | None
    series: WhatIfSeries


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What really happened in the window, to judge the run of ``current`` by."""

    since: str
    until: str
    window_s: float
    step_s: float
    requests: int
    served: dict[str, int]
    nowhere: int
    overflow: int


class WhatIfStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a proposal takes at one site; ``local``: it is the one that was asked.

    ``command`` runs there as it is; empty: no command can be given, and ``note`` says what to do.
    """

    site: str
    local: bool
    command: str = ""
    note: str = ""


class WhatIfView(msgspec.Struct, frozen=True, kw_only=True):
    """Current beside proposed. Nothing was changed.

    ``moved``: share of requests that would be served elsewhere than now. ``added_*``: of proposed
    over current, None: nothing to compare. ``commands`` would do it; ``assumptions`` say what the
    figures rest on. ``scenario`` is the proposal as a file for `sitectl simulate`.
    """

    service: str
    port: int
    protocol: str
    seed: int
    recorded: Recorded
    current: WhatIfPicture
    proposed: WhatIfPicture
    moved: float
    added_p50_ms: float | None
    added_p99_ms: float | None
    commands: tuple[WhatIfStep, ...]
    assumptions: tuple[str, ...]
    scenario: str
