from typing import Any

import pytest

from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.identity import SiteIdentity
from router.kubernetes.codecs import identity
from router.kubernetes.objects.names import IDENTITY_SECRET, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Object, Snapshot
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.store.own_site import OwnSite
from tests.unit.certs.sites import NOW

CONFIG = {"old": {"metadata": {"uid": "old"}}, "new": {"metadata": {"uid": "new"}}}


def made() -> tuple[str, Object]:
    """A site's id and the Secret that says so."""
    site, key_pem = SiteIdentity.generate()
    authority, ca_key_pem = Authority.generate(site.site_id, NOW)
    found: dict[str, Any] = identity.secret(
        identity.made_of(key_pem, CaState(ca_key_pem, authority.ca_pem))
    )
    return site.site_id, found


@pytest.fixture(scope="module")
def own() -> tuple[str, Object]:
    return made()


def looks(
    site: OwnSite, config: str = "", secret: Object | None = None, *, is_read: bool = True
) -> bool:
    objects: dict[str, dict[str, Object]] = {
        "ConfigMap": {SITE_CONFIGMAP: CONFIG[config]} if config else {},
        "Secret": {} if secret is None else {IDENTITY_SECRET: secret},
    }
    missing = frozenset() if is_read else frozenset({"Secret"})
    return site.look(Snapshot("west", objects, missing), NamespacePicture())


def test_a_site_is_gone_without_its_configmap_and_back_with_it(own: tuple[str, Object]) -> None:
    site_id, secret = own
    site = OwnSite(site_id)
    assert not looks(site, "old", secret)
    assert looks(site, "", secret)
    assert not looks(site, "new", secret), "it was applied again, and the identity stayed"
    assert not looks(site, "new"), "the identity alone was deleted: it is put back"


def test_a_site_that_was_made_anew_is_not_the_one_that_is_gone(own: tuple[str, Object]) -> None:
    site_id, secret = own
    site = OwnSite(site_id)
    assert not looks(site, "old", secret)
    assert looks(site, "new"), "its first router has not made an identity yet"
    assert looks(site, "new", made()[1])
    assert looks(site, "new", is_read=False), "what cannot be read changes nothing"


def test_a_site_that_was_made_anew_is_known_where_news_of_its_secrets_are_late(
    own: tuple[str, Object],
) -> None:
    site = OwnSite(own[0])
    assert not looks(site, "old", own[1])
    assert not looks(site, "new", own[1]), "as a ConfigMap that was replaced"
    assert looks(site, "new", made()[1])
    assert not looks(site, "new", own[1])


def test_a_damaged_identity_is_of_the_site_that_was_there(own: tuple[str, Object]) -> None:
    site = OwnSite(own[0])
    assert not looks(site, "old", own[1])
    assert not looks(site, "new", {**own[1], "data": {}})
    assert not looks(site, "old", is_read=False)
