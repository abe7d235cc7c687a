"""Passwords of the proxies of links, from labeled Secrets into the site directory."""

from pathlib import Path

import pytest

from certs.links.credentials import LinkStore
from certs.links.proxies import ProxyLogin
from router.documents import Wanted
from router.kubernetes.codecs.secrets import encoded
from router.kubernetes.objects.picture import TokenSecret
from router.kubernetes.trust.proxies import ProxySecrets
from router.model.specs import LinkSpec, SiteSpec

URL = "http://proxy:3128"
WANTED = Wanted(name="site", site=SiteSpec(), links={"east": LinkSpec(proxy=URL)})
TOKEN = TokenSecret(name="east", uid="u", text="")
NAMED = TokenSecret(name="east", uid="u", text="", proxy_secret="corp")


def secret(name: str, kind: str = "proxy", **data: str) -> dict[str, object]:
    return {
        "metadata": {"name": name, "labels": {"spillway.dev/type": kind}},
        "data": encoded({key: value.encode() for key, value in data.items()}),
    }


@pytest.mark.parametrize(("token", "name"), [(TOKEN, "spillway-proxy-east"), (NAMED, "corp")])
def test_a_labelled_secret_is_the_login_of_the_links_proxy(
    tmp_path: Path, token: TokenSecret, name: str
) -> None:
    store = LinkStore(tmp_path)
    proxies = ProxySecrets(store)
    found = secret(name, username="me", password="planted\n")
    proxies.look({"east": token}, {name: found}, WANTED)
    assert store.proxy_login("east") == ProxyLogin(proxy=URL, user="me", password="planted")
    assert store.proxy_file("east").stat().st_mode & 0o777 == 0o600
    assert proxies.errors == ()
    proxies.look({"east": TOKEN}, {}, WANTED)
    assert store.proxy_login("east") is None


def test_a_secret_says_which_proxy_alone_it_is_for(tmp_path: Path) -> None:
    store = LinkStore(tmp_path)
    found = secret("corp", proxy="http://other:1", username="me", password="p")
    ProxySecrets(store).look({"east": NAMED}, {"corp": found}, WANTED)
    login = store.proxy_login("east")
    assert login is not None and login.proxy == "http://other:1"


def test_a_secret_without_the_label_is_never_sent_to_a_proxy(tmp_path: Path) -> None:
    store = LinkStore(tmp_path)
    proxies = ProxySecrets(store)
    found = secret("corp", kind="tls", username="me", password="planted")
    proxies.look({"east": NAMED}, {"corp": found}, WANTED)
    assert store.proxy_login("east") is None
    (error,) = proxies.errors
    assert error.code == "SW0447" and "spillway.dev/type=proxy" in error.hint
    assert "planted" not in str(error)
