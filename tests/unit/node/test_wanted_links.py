"""Why links that are configured are not dialed."""

from collections.abc import Mapping
from typing import Literal, cast

import pytest

from router.documents import Wanted
from router.link.fault import Fault
from router.link.links import Links
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model.ids import SiteId
from router.model.specs import LinkSpec, SiteSpec
from router.node.wanted_links import WantedLinks
from router.trust.ports import Credentials, PendingLink


class Told:
    """Links and credentials that answer with one pending link."""

    def __init__(self, state: Literal["connecting", "refused"], site_id: str) -> None:
        self.state, self.site_id = state, site_id
        self.kept: Mapping[str, Fault] = {}

    def outgoing(self, name: str, spec: LinkSpec) -> PendingLink:
        return PendingLink(
            state=self.state, error="", site_name="", site_id=self.site_id, cost=1, since=0.0
        )

    def forget_links(self, keep: frozenset[str]) -> None: ...

    def set_links(self, outgoing: Mapping[str, OutgoingSpec], kept: Mapping[str, Fault]) -> None:
        assert not outgoing
        self.kept = kept


@pytest.mark.parametrize(
    ("disabled", "state", "site_id", "why"),
    [
        (True, "refused", "", "the link was disabled"),
        (False, "refused", "ab", "the link has another token"),
        (False, "connecting", "", "the link has another token"),  # Its key is not saved yet.
        (False, "refused", "", "the link has no token that can be used"),
    ],
)
def test_the_other_end_hears_why_a_link_is_let_go(
    disabled: bool, state: Literal["connecting", "refused"], site_id: str, why: str
) -> None:
    told = Told(state, site_id)
    links = WantedLinks(cast(Links, told), cast(Credentials, told), SiteId("site"), is_edge=False)
    links.refresh(Wanted(name="x", site=SiteSpec(), links={"east": LinkSpec(disabled=disabled)}))
    assert told.kept["east"].reason == why
