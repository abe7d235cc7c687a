"""Requests and answers of `/api/v1/what-if`."""

import msgspec

from router.model.specs import PolicyName


class WhatIf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /api/v1/what-if. Sites by name or id; values not given stay as they are.

    ``capacity``: of all ready targets of a site together, in requests at once, or per second if its
    capacity is a rate. ``cost``: of the path there. ``window_s``: how far back; ``busiest``: the
    window of that length with the highest demand instead of the newest. ``port`` None: the first of
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
    """A site in one of the two runs. ``share`` of all requests.

    ``capacity`` None: none; ``rate``: it is in requests a second. ``taken``: slots that clients of
    other sites hold now, and which do not count.
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
    """Figures over time, one per step. ``served`` has one list for each site of the run."""

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
    """The actual figures of the window, against which to judge the run of ``current``."""

    since: str
    until: str
    window_s: float
    step_s: float
    requests: int
    served: dict[str, int]
    nowhere: int
    overflow: int


class WhatIfStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that a proposal requires at one site; ``local``: at the site that was asked.

    ``command`` runs there as it is; empty: no command exists, and ``note`` describes the step.
    """

    site: str
    local: bool
    command: str = ""
    note: str = ""


class WhatIfView(msgspec.Struct, frozen=True, kw_only=True):
    """The current state beside the proposed one. Nothing was changed.

    ``moved``: share of requests that another site would serve. ``added_*``: proposed minus current,
    None: nothing to compare. ``commands`` would apply it; ``assumptions`` behind the figures.
    ``scenario``: the proposal as a file for `sitectl simulate`.
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
