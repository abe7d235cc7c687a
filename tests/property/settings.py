"""Any settings of a service within the bounds that their types state."""

from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from router.model.settings import Affinity, Health, ServiceLimits, Timeouts


def within_bounds(struct: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Values of ``struct``; durations in whole milliseconds, as people write them."""
    hints = get_type_hints(struct, include_extras=True)
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for name, hint in hints.items():
        if get_origin(hint) is Literal:
            fields[name] = st.sampled_from(get_args(hint))
            continue
        (meta,) = hint.__metadata__
        if meta.pattern is not None:
            fields[name] = st.sampled_from(("", "/", "/healthz?deep=1"))
        elif name.endswith("_s"):
            bounds = st.integers(int(meta.ge * 1000), int(meta.le * 1000))
            fields[name] = bounds.map(lambda ms: ms / 1000)
        else:
            fields[name] = st.integers(meta.ge, meta.le)
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: struct(**values))


AFFINITIES = st.one_of(
    st.builds(Affinity, by=st.just("cookie"), name=st.sampled_from(("", "sid"))),
    st.builds(Affinity, by=st.just("header"), name=st.just("X-User")),
    st.builds(Affinity, by=st.just("client")),
)
TIMEOUTS = within_bounds(Timeouts)
LIMITS = within_bounds(ServiceLimits)
HEALTH = within_bounds(Health)
