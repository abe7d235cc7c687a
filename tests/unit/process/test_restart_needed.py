"""What of a site's document waits for the next start of its router."""

import msgspec

from router.documents import Wanted
from router.model.specs import Document, ServiceSpec, SiteSpec
from router.process.restart_needed import findings

STARTED = Wanted(name="west", site=SiteSpec())
DOCUMENTS = (
    Document("Service", "shop", ServiceSpec(ports=(80,)), source="config/mine.yaml"),
    Document("Site", "west", SiteSpec(), source="config/site-west.yaml"),
)


def told(wanted: Wanted) -> list[str]:
    """The findings, as `status` has them."""
    found = findings(STARTED, wanted, DOCUMENTS, "start it")
    assert all(
        (one.code, one.severity, one.hint) == ("SW0311", "error", "start it") for one in found
    )
    return [one.message for one in found]


def test_what_a_running_router_follows_needs_no_start() -> None:
    assert told(STARTED) == []
    assert told(msgspec.structs.replace(STARTED, site=SiteSpec(bind_port=4000, workers=2))) == []


def test_a_name_a_mode_and_an_admin_address_wait_for_the_next_start() -> None:
    site = SiteSpec(router_mode="edge", admin="127.0.0.1:9000")
    until = "until it is started again"
    assert told(Wanted(name="north", site=site)) == [
        "config/site-west.yaml: the site is named north, and this router runs as west "
        f"{until} (at $.name)",
        "config/site-west.yaml: routerMode is edge, and this router runs as interior "
        f"{until} (at $.spec.routerMode)",
        "config/site-west.yaml: admin is 127.0.0.1:9000, and this router serves its admin API at "
        f"its socket alone {until} (at $.spec.admin)",
    ]


def test_an_admin_address_that_is_taken_away_is_served_until_the_next_start() -> None:
    started = Wanted(name="west", site=SiteSpec(admin="127.0.0.1:9000"))
    (one,) = findings(started, STARTED, DOCUMENTS, "")
    assert one.reason == (
        "admin is not set, and this router serves its admin API at 127.0.0.1:9000 until it is "
        "started again"
    )
