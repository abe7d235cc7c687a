"""What a scrape reads, made in pieces, is what prometheus-client makes of the whole."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from router.admin.exposition import OPEN_METRICS, TEXT, Format, format_for, pieces
from router.admin.metrics import FAMILIES
from router.admin.ports import HistogramView, MetricValues

LINES_MAX = 60
"""Of one piece: less than a millisecond."""
NUMBERS = [name for name, family in FAMILIES.items() if family.kind != "histogram"]
HISTOGRAMS = [name for name, family in FAMILIES.items() if family.kind == "histogram"]
BOUNDS = (0.01, 0.1, 1.0)


class Reference:
    """All of it at once."""

    def __init__(self, values: MetricValues) -> None:
        self._values = values

    def collect(self) -> Iterable[Metric]:
        for name, family in FAMILIES.items():
            if family.kind == "histogram":
                metric: Metric = HistogramMetricFamily(name, family.told_help, labels=family.labels)
                for labels, shown in self._values.histograms.get(name, {}).items():
                    total, buckets = 0, []
                    for bound, count in zip((*BOUNDS, "+Inf"), shown.counts, strict=True):
                        total += count
                        buckets.append((str(bound), total))
                    metric.add_metric(labels, buckets, sum_value=shown.sum_s)  # type: ignore[attr-defined]
            else:
                kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
                metric = kind(name, family.told_help, labels=family.labels)
                for labels, number in self._values.numbers.get(
                    family.replaced_by or name, {}
                ).items():
                    metric.add_metric(labels, number)
            yield metric


@st.composite
def values(draw: st.DrawFn) -> MetricValues:
    """A few families, up to 101 series each, with awkward label values."""
    awkward = draw(st.lists(st.text(max_size=6), min_size=1, max_size=3))
    rng = draw(st.randoms(use_true_random=False))

    def series(name: str) -> list[tuple[str, ...]]:
        count = len(FAMILIES[name].labels)
        many = rng.choice((1, 5, 6, 7, 100, 101)) if count else 1
        return [tuple(f"{rng.choice(awkward)}{n}" for _ in range(count)) for n in range(many)]

    numbers = {
        name: {labels: rng.uniform(0, 1e12) for labels in series(name)}
        for name in draw(st.lists(st.sampled_from(NUMBERS), unique=True, max_size=4))
    }
    histograms = {
        name: {
            labels: HistogramView(
                BOUNDS, tuple(rng.randrange(99) for _ in range(4)), rng.uniform(0, 1e6)
            )
            for labels in series(name)
        }
        for name in draw(st.lists(st.sampled_from(HISTOGRAMS), unique=True, max_size=2))
    }
    return MetricValues(numbers, histograms)


def cut(whole: MetricValues) -> Iterator[MetricValues]:
    """One series a part, as if each were of another service."""
    for name, series in whole.numbers.items():
        for labels, number in series.items():
            yield MetricValues({name: {labels: number}}, {})
    for name, shown in whole.histograms.items():
        for labels, histogram in shown.items():
            yield MetricValues({}, {name: {labels: histogram}})


@given(values())
def test_pieces_say_what_the_whole_says(whole: MetricValues) -> None:
    made = list(pieces(cut(whole)))
    assert all(piece.count(b"\n") <= LINES_MAX for piece in made)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Reference(whole))
    assert b"".join(made) == generate_latest(registry)
    made = list(pieces(cut(whole), OPEN_METRICS))
    assert b"".join(made) == openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]


def test_a_scrape_without_any_value_names_every_family() -> None:
    text = b"".join(pieces([])).decode()
    told = {family.name for family in text_string_to_metric_families(text)}
    assert told == {name.removesuffix("_total") for name in FAMILIES}


def test_open_metrics_without_any_value_is_what_its_own_parser_reads() -> None:
    text = b"".join(pieces([], OPEN_METRICS)).decode()
    assert text.endswith("# EOF\n")
    told = {family.name for family in openmetrics_families(text)}  # type: ignore[no-untyped-call]
    assert told == {name.removesuffix("_total") for name in FAMILIES}


@given(st.text(max_size=60))
def test_any_accept_gets_one_of_two_formats(accept: str) -> None:
    assert format_for(accept) in (TEXT, OPEN_METRICS)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text; version=zz", TEXT),
        ("application/openmetrics-text", OPEN_METRICS),
        # What Prometheus 3.7 sends.
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            OPEN_METRICS,
        ),
    ],
)
def test_the_format_is_what_the_scraper_accepts(accept: str, chosen: Format) -> None:
    assert format_for(accept) == chosen
