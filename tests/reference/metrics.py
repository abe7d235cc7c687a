"""docs/reference-metrics.md, of `router.admin.metrics.FAMILIES`."""

from router.admin.metrics import FAMILIES, Family

HEAD = """# Metrics

What `/metrics` of a router tells Prometheus, made from the code. How to scrape, and which to watch:
[observability](observability.md), [runbooks](runbooks.md). A histogram is `_bucket`, `_sum` and
`_count`.

A router with several [workers](workers.md) answers for all of them: it sums counters and the parts
that each process has. A deprecated name has the same series as the name that replaces it, for two
minor releases at least ([releases](releases.md)).

| name | kind | labels | |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(
        f"| `{name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} "
        f"| {_said(family)} |\n"
        for name, family in FAMILIES.items()
    )


def _said(family: Family) -> str:
    return f"Deprecated, use `{family.replaced_by}`." if family.replaced_by else family.help
