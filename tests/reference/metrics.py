"""docs/reference-metrics.md, of `router.admin.metrics.FAMILIES`."""

from router.admin.metrics import FAMILIES

HEAD = """# Metrics

What `/metrics` of a router tells Prometheus, made from the code. How to scrape, and which to watch:
[observability](observability.md), [runbooks](runbooks.md). A histogram is `_bucket`, `_sum` and
`_count`.

| name | kind | labels | |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(
        f"| `{name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} "
        f"| {family.help} |\n"
        for name, family in FAMILIES.items()
    )
