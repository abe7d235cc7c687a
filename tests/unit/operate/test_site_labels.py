"""Names of sites in the labels of counters."""

from router.admin.ports import HistogramView, Labels, MetricValues
from router.model.ids import SiteId
from router.operate.figures.site_labels import with_site_names

REQUESTS, SECONDS = "spillway_requests_total", "spillway_request_seconds"
NAMES = {SiteId("1" * 32): "far", SiteId("2" * 32): "far", SiteId("3" * 32): "hub"}


def labels(site: str) -> Labels:
    return "shop", "80", "http", site, "2xx"


def name_of(site: SiteId) -> str:
    return NAMES.get(site, str(site))


def test_counts_of_sites_have_their_names_and_those_of_one_name_are_added() -> None:
    counts = {labels(site): 1.0 for site in (*NAMES, "")}
    times = {labels(site): HistogramView((1.0,), (1, 2), 3.0) for site in NAMES}
    gauge: dict[Labels, float] = {("shop", "80", "1" * 32): 1.0}
    part = MetricValues({REQUESTS: counts, "spillway_capacity": gauge}, {SECONDS: times})
    (shown,) = with_site_names(iter([part]), name_of)
    assert shown.numbers[REQUESTS] == {labels("far"): 2.0, labels("hub"): 1.0, labels(""): 1.0}
    assert shown.numbers["spillway_capacity"] == gauge
    assert shown.histograms[SECONDS] == {
        labels("far"): HistogramView((1.0,), (2, 4), 6.0),
        labels("hub"): HistogramView((1.0,), (1, 2), 3.0),
    }
