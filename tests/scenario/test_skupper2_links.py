"""AccessGrants and AccessTokens of Skupper v2 between host sites: claims of ours, redeemed once."""

from functools import partial
from pathlib import Path

import yaml

from tests.scenario.harness import Network, Site
from tests.scenario.test_skupper2 import v2
from tests.scenario.waiting import until


def grant(at: Site, **spec: object) -> str:
    """The AccessToken that ``apply`` prints for an AccessGrant."""
    made = at.ctl("apply", "-f", "-", given=v2("AccessGrant", "shop", **spec))
    assert "accessgrant shop created" in made.err, "progress is not in the way of the token"
    return made.out


def test_a_token_of_one_site_links_another_and_applies_again_and_again(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west, east = network.site("west"), network.site("east")
        network.start()
        token = grant(east, redemptionsAllowed=2, expirationWindow="1h")
        assert "PRIVATE KEY" not in token, "keys stay with their owner"
        assert yaml.safe_load(token)["spec"]["url"].split("?")[0].endswith("/spillway/claims/shop")
        again = east.ctl("apply", "-f", "-", given=v2("AccessGrant", "shop", redemptionsAllowed=2))
        assert again.out == "accessgrant shop unchanged\n", "one grant makes one token"
        other = east.ctl("apply", "-f", "-", given=v2("AccessGrant", "shop"))
        assert "asks for 1 redemption, its token has 2" in other.err

        text = token.replace("name: shop", "name: to-east") + "  linkCost: 7\n"
        assert west.ctl("apply", "-f", "-", given=text).out == "link to-east created\n"
        until(partial(west.is_up, "to-east"), "the link is up")
        assert west.link("to-east")["cost"] == 7
        assert west.ctl("apply", "-f", "-", given=text).out == "link to-east unchanged\n"

        def claimed() -> list[tuple[str, int, list[str]]]:
            return [
                (one["name"], one["uses_left"], [use["site"] for use in one["claimed"]])
                for one in east.json("token", "list")
            ]

        until(lambda: claimed() == [("shop", 1, ["west"])], "one of two uses is left")


def test_a_used_token_links_no_further_site_and_says_so(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west, north, east = network.site("west"), network.site("north"), network.site("east")
        network.start()
        file = tmp_path / "token.yaml"
        file.write_text(grant(east))
        assert "shop (claim)" in west.ctl("token", "status", str(file)).out
        west.ctl("link", "create", str(file), "--name", "shop", "--wait", "30")
        north.ctl("apply", "-f", str(file))
        until(lambda: "refused the claim" in north.link_error("shop"), "it is used")
        until(partial(west.is_up, "shop"), "who used it stays linked")


def test_an_edited_token_and_one_of_skupper_change_nothing(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west, east = network.site("west"), network.site("east")
        edited = grant(east).replace("name=east", "name=oast")
        refused = west.ctl("apply", "-f", "-", given=edited, code=1)
        assert "was changed after it was made" in refused.err
        assert "Copy the AccessToken again" in refused.err
        foreign = v2("AccessToken", "t", url="https://10.0.0.1:9090/9f3a", code="c", ca="c")
        refused = west.ctl("apply", "-f", "-", given=foreign, code=1)
        assert "issued by a Skupper site" in refused.err and "link create FILE" in refused.err
        (tmp_path / "t.yaml").write_text(foreign)
        refused = west.ctl("link", "create", str(tmp_path / "t.yaml"), code=1)
        assert "no token of a Spillway site" in refused.err
        assert not list((west.directory / "config").glob("link-*"))


def test_a_site_that_accepts_no_links_makes_no_token(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west = network.planned("west")
        text = v2("Site", "west") + "---\n" + v2("AccessGrant", "shop")
        refused = west.ctl("apply", "-f", "-", given=text, code=7)
        assert "accepts no links" in refused.err
        assert not west.directory.exists(), "nor is the site made"
        opened = text.replace("  {}", "  linkAccess: default", 1)
        assert "kind: AccessToken" in west.ctl("apply", "-f", "-", given=opened).out


def test_a_link_with_a_secret_of_ours_is_taken_and_its_proxy_is_not_forgotten(
    tmp_path: Path,
) -> None:
    with Network(tmp_path / "sites") as network:
        west, east = network.site("west"), network.site("east")
        secret = network.token(east, "--token-type", "cert", "--name", "east").read_text()
        link = v2(
            "Link",
            "to-east",
            tlsCredentials="east",
            cost=3,
            endpoints="[]",
            settings="{proxy-configuration: corporate}",
        )
        made = west.ctl("apply", "-f", "-", given=link + "---\n" + secret)
        assert made.out == "link to-east created\n"
        assert "without the proxy of Secret corporate" in made.err
        assert "link set to-east --proxy http://USER@HOST:PORT" in made.err
        west.ctl("link", "set", "to-east", "--proxy", "http://proxy.test:3128")
        again = west.ctl("apply", "-f", "-", given=link + "---\n" + secret)
        assert (again.out, again.err) == ("link to-east unchanged\n", "")
