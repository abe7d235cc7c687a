"""Verbs that write documents: their documents and refusals; a repeated verb changes nothing."""

import json
import stat
import subprocess
import sys
from subprocess import DEVNULL

import pytest

from certs.files import locked
from sitectl.site import directory
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

SHOP = "apiVersion: spillway/v1\nkind: Service\nname: shop\nspec:\n  ports: [8080]\n"
BIND = ("service", "bind", "shop", "host", "127.0.0.1", "--target-port", "9001")


def test_init_makes_identity_authority_and_site_document(sitectl: CommandLine) -> None:
    sitectl.ok("init", "east", "--bind-port", "6000", "--bind-ip", "127.0.0.5")
    assert sitectl.config("east") == {
        "site-east.yaml": "apiVersion: spillway/v1\nkind: Site\nname: east\n"
        "spec:\n  ingressBindIp: 127.0.0.5\n  bindPort: 6000\n  bindIp: 127.0.0.5\n"
    }
    secrets = sitectl.state / "east" / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {path.name for path in secrets.iterdir()} >= {"identity.key", "ca.key", "ca.crt"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in secrets.iterdir())


def test_init_again_changes_nothing_and_says_so(here: CommandLine) -> None:
    key = (here.state / "here" / "secrets" / "identity.key").read_bytes()
    assert "unchanged" in here.ok("init", "here").stdout
    assert here.json("init", "here") == {"kind": "Site", "name": "here", "change": "unchanged"}
    assert (here.state / "here" / "secrets" / "identity.key").read_bytes() == key


def test_init_with_other_settings_is_a_conflict_with_a_diff(here: CommandLine) -> None:
    result = here("init", "here", "--bind-port", "6000")
    assert result.exit_code == 5
    assert "+  bindPort: 6000" in result.stderr


def test_init_finishes_what_was_interrupted(here: CommandLine) -> None:
    (here.state / "here" / "config" / "site-here.yaml").unlink()
    (here.state / "here" / "secrets" / "ca.crt").unlink()
    assert here.json("init", "here")["change"] == "created"
    assert (here.state / "here" / "secrets" / "ca.crt").exists()


@pytest.mark.parametrize("words", [("init", "A B"), ("init", "a", "--bind-ip", "x y")])
def test_init_refuses_what_the_router_would_refuse(sitectl: CommandLine, words: list[str]) -> None:
    assert sitectl(*words).exit_code == 2
    assert not sitectl.state.exists()


def test_a_flag_of_init_that_is_wrong_is_named_without_a_line_of_a_file(
    sitectl: CommandLine,
) -> None:
    said = sitectl("init", "a", "--bind-ip", "300.1.1.1").stderr
    assert said.startswith("Error: expected an IP address, got '300.1.1.1' (at $.spec.bindIp)\n")


def test_flags_of_skupper_that_need_nothing_here_are_taken_with_one_line(
    sitectl: CommandLine,
) -> None:
    result = sitectl.ok(
        *("init", "east", "--enable-flow-collector", "--routers", "2", "--ingress", "route"),
        *("--enable-service-sync=false", "--enable-console=true", "--console-auth", "internal"),
    )
    assert "--enable-flow-collector: not needed here" in result.stderr
    assert "--routers: not needed here" in result.stderr
    assert "serviceSync: false" in sitectl.config("east")["site-east.yaml"]


@pytest.mark.parametrize(
    "words",
    [
        ("--controller-cpu", "1"),
        ("--prometheus-server-memory-limit=1Gi",),
        ("--router-pod-antiaffinity", "app=x"),
        ("--ingress-annotations", "a=b"),
        ("--enable-skupper-events=true",),
        ("--xp-router-max-frame-size", "16384"),
        ("--flow-collector-record-ttl", "15m"),
    ],
)
def test_every_key_of_the_old_site_configuration_is_a_flag(
    sitectl: CommandLine, words: tuple[str, ...]
) -> None:
    result = sitectl.ok("init", "east", *words)
    assert f"{words[0].split('=')[0]}: not needed here" in result.stderr


def test_a_site_that_does_not_exist_is_named_with_the_next_step(sitectl: CommandLine) -> None:
    result = sitectl("service", "create", "shop", "80")
    assert result.exit_code == 4
    assert "Next: sitectl init" in result.stderr


def test_of_several_sites_one_must_be_named_anywhere_on_the_line(here: CommandLine) -> None:
    here.ok("init", "there")
    assert here("service", "create", "shop", "80").exit_code == 2
    here.ok("--site", "here", "service", "create", "shop", "80")
    here.ok("service", "--site", "there", "create", "shop", "80")
    here.ok("service", "create", "shop", "80", "--site", "there")
    assert "service-shop.yaml" in here.config("there")


def test_errors_are_json_when_asked_for(sitectl: CommandLine) -> None:
    result = sitectl("get", "services", "-o", "json")
    assert result.exit_code == 4
    assert result.stdout == ""
    failure = json.loads(result.stderr)
    assert failure["code"] == "not-found"
    assert failure.keys() >= {"code", "message", "hint", "retryable"}
    usage = sitectl("-o", "json", "service", "create")
    assert (usage.exit_code, json.loads(usage.stderr)["code"]) == (2, "usage")


def test_an_unknown_verb_is_answered_with_the_nearest(sitectl: CommandLine) -> None:
    result = sitectl("servce", "create")
    assert result.exit_code == 2
    assert "Did you mean 'service'?" in result.stderr


def test_of_several_sites_the_platform_podman_means_those_in_podman(here: CommandLine) -> None:
    here.ok("init", "boxed")
    (here.state / "boxed" / "runtime.yaml").write_text("kind: podman\n")
    assert here("status").exit_code == 2
    assert here.json("--platform", "podman", "status", code=3)["name"] == "boxed"
    (here.state / "here" / "runtime.yaml").write_text("kind: podman\n")
    assert here("--platform", "podman", "status").exit_code == 2


def test_a_flag_of_the_cluster_makes_the_platform_kubernetes(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here.state))
    monkeypatch.delenv("SITECTL_PLATFORM", raising=False)
    result = here("--kubeconfig", "/nowhere", "status")
    assert result.exit_code == 1
    assert "there is no file /nowhere" in result.stderr
    assert "SITE" not in here.ok("switch").stdout


@pytest.mark.parametrize("flag", ["-n", "-c", "--kubeconfig"])
def test_a_flag_of_the_cluster_changes_no_site_of_this_machine(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here.state))
    monkeypatch.delenv("SITECTL_PLATFORM", raising=False)
    here.ok("switch", "process")
    before = here.config()
    for chosen, owner in ((), "`sitectl switch` chose"), (("--platform", "process"), "--platform"):
        result = here(*chosen, flag, "west", "service", "create", "shop", "8080")
        assert result.exit_code == 2
        assert f"Error: {flag} names a site on Kubernetes, and {owner}" in result.stderr
        assert f"Next: Leave {flag} out, or: sitectl --platform kubernetes" in result.stderr
    monkeypatch.setenv("SITECTL_PLATFORM", "process")
    assert "SITECTL_PLATFORM says platform process" in here(flag, "west", "status").stderr
    assert here.config() == before


def test_service_create_twice_is_once(here: CommandLine) -> None:
    assert here.json("service", "create", "shop", "8080")["change"] == "created"
    assert here.json("service", "create", "shop:8080")["change"] == "unchanged"
    assert here.config()["service-shop.yaml"] == SHOP


def test_service_create_with_other_words_is_a_conflict_with_a_diff(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    result = here("service", "create", "shop", "8081")
    assert result.exit_code == 5
    assert "config/service-shop.yaml:1" in result.stderr
    assert "-  ports: [8080]\n+  ports: [8081]" in result.stderr
    assert here.config()["service-shop.yaml"] == SHOP


def test_a_document_in_the_users_own_file_is_never_changed(here: CommandLine) -> None:
    own = "# mine\n" + SHOP
    (here.state / "here" / "config" / "mine.yaml").write_text(own)
    assert here.json("service", "create", "shop", "8080")["change"] == "unchanged"
    for words in (("set", "shop", "--protocol", "http"), ("delete", "shop")):
        result = here("service", *words)
        assert result.exit_code == 5
        assert "config/mine.yaml:2" in result.stderr
    assert "+  protocol: http" in here("service", "set", "shop", "--protocol", "http").stderr
    assert list(here.config()) == ["mine.yaml", "site-here.yaml"]
    assert here.config()["mine.yaml"] == own


def test_a_file_of_ours_that_holds_more_is_the_users(here: CommandLine) -> None:
    both = SHOP + "---\n" + SHOP.replace("shop", "other").replace("8080", "1")
    (here.state / "here" / "config" / "service-shop.yaml").write_text(both)
    assert here("service", "delete", "shop").exit_code == 5
    assert here("service", "set", "shop", "--queue", "3").exit_code == 5
    assert here.config()["service-shop.yaml"] == both


def test_a_file_that_cannot_be_read_is_not_overwritten(here: CommandLine) -> None:
    path = here.state / "here" / "config" / "service-shop.yaml"
    path.write_text(SHOP.replace("ports", "prts"))
    result = here("service", "create", "shop", "8080")
    assert result.exit_code == 1
    assert "config/service-shop.yaml:5:3: unknown field 'prts'" in result.stderr


@pytest.mark.parametrize("policy", ["balanced", "spread", "failover"])
def test_policies_are_set_live_and_again_change_nothing(here: CommandLine, policy: str) -> None:
    here.ok("service", "create", "shop", "8080")
    words = ("service", "set", "shop", "--policy", policy)
    assert here.json(*words)["change"] == "updated"
    assert here.json(*words)["change"] == "unchanged"
    assert f"name: {policy}" in here.config()["service-shop.yaml"]


def test_weights_belong_to_split_and_stay_until_they_are_named_anew(here: CommandLine) -> None:
    weights = ("--weight", "east=70%", "--weight", "west=30%")
    here.ok("service", "create", "shop", "8080", "--policy", "split", *weights)
    assert "east: 70" in here.config()["service-shop.yaml"]
    assert here.json("service", "set", "shop", "--policy", "split")["change"] == "unchanged"
    here.ok("service", "set", "shop", "--weight", "east=1", "--weight", "south=0")
    text = here.config()["service-shop.yaml"]
    assert "east: 1" in text and "south: 0" in text and "west" not in text
    here.ok("service", "set", "shop", "--policy", "fill")
    assert "weights" not in here.config()["service-shop.yaml"]


def test_a_reserve_and_a_share_are_rules_of_this_site(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    said = here.ok(
        "service", "set", "shop", "--reserve-for-own", "30%", "--max-share", "40%"
    ).output
    assert "keeps 30% of its slots for its own clients, lends one neighbor at most 40%" in said
    text = here.config()["policy-shop.yaml"]
    assert "reserveForOwn: 0.3" in text and "maxShare: 0.4" in text
    here.ok("service", "set", "shop", "--site-capacity", "15/s", "--max-share", "none")
    here.ok("service", "set", "shop", "--site-capacity", "none")
    text = here.config()["policy-shop.yaml"]
    assert "reserveForOwn: 0.3" in text and "maxShare" not in text and "siteCapacity" not in text
    said = here.ok("service", "set", "shop", "--reserve-for-own", "none").output
    assert "lends each free slot" in said
    assert "policy-shop.yaml" not in here.config()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--reserve-for-own 30", "--reserve-for-own '30': expected a share of this site's slots"),
        ("--reserve-for-own 100%", "--reserve-for-own 100% leaves nothing to other sites"),
        ("--max-share 0%", "--max-share 0% leaves nothing to other sites"),
    ],
)
def test_what_is_no_share_of_the_slots_is_refused(here: CommandLine, words: str, said: str) -> None:
    here.ok("service", "create", "shop", "8080")
    assert said in here.ended(2, "service", "set", "shop", *words.split()).output


def test_a_mark_to_spill_at_stays_until_it_is_taken_off(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080", "--spill-at", "80%")
    assert "spillAt: 0.8" in here.config()["service-shop.yaml"]
    here.ok("service", "set", "shop", "--policy", "spread")
    assert "spillAt: 0.8" in here.config()["service-shop.yaml"]
    here.ok("service", "set", "shop", "--spill-at", "65%")
    assert "name: spread" in here.config()["service-shop.yaml"]
    assert "spillAt: 0.65" in here.config()["service-shop.yaml"]
    here.ok("service", "set", "shop", "--spill-at", "none")
    assert "spillAt" not in here.config()["service-shop.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--spill-at 80", "--spill-at '80': expected a share"),
        ("--spill-at 100%", "above 0% and below 100%"),
        ("--spill-at 0%", "above 0% and below 100%"),
        ("--policy failover --spill-at 80%", "no meaning with policy failover"),
        ("--policy split", "--policy split needs --weight"),
        ("--weight a=1", "--weight belongs to policy split, this one is fill"),
        ("--policy balanced --weight a=1", "this one is balanced"),
        ("--policy split --weight a", "weight of site a: expected a whole number"),
        ("--policy split --weight a=-1", "weight of site a: expected a whole number"),
        ("--policy split --weight a=1.5", "weight of site a: expected a whole number"),
        ("--policy split --weight a=1000001", "from 0 to 1000000"),
        ("--policy split --weight a=0 --weight b=0", "all weights are 0"),
        ("--policy split --weight a=1 --weight a=2", "site a has two weights"),
        ("--policy split --weight a=50% --weight b=1", "some weights are percentages"),
        ("--policy split --weight a=50% --weight b=40%", "sum to 90%, not to 100%"),
        ("--policy split --weight A=1", "'A' is no name of a site"),
    ],
)
def test_weights_that_mean_nothing_say_so_with_the_next_step(
    here: CommandLine, words: str, said: str
) -> None:
    here.ok("service", "create", "shop", "8080")
    result = here("service", "set", "shop", *words.split())
    assert result.exit_code == 2
    assert said in result.stderr and "Next: " in result.stderr


def test_service_set_changes_only_what_is_named(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080", "--protocol", "http", "--queue", "5")
    words = ("service", "set", "shop", "--policy", "balanced", "--queue-wait", "2s")
    assert here.json(*words)["change"] == "updated"
    assert here.json(*words)["change"] == "unchanged"
    text = here.config()["service-shop.yaml"]
    assert "protocol: http" in text
    assert "queue: 5" in text
    assert "name: balanced" in text
    assert "queueWait: 2s" in text


def test_service_set_of_an_unknown_service_is_not_found(here: CommandLine) -> None:
    refused = here("service", "set", "shop", "--queue", "1")
    assert refused.exit_code == 4
    assert "whether another site declares it is not known: the router of" in refused.stderr
    assert "if another site declares it, set it there" in refused.stderr
    here.ok("service", "create", "shop", "8080")
    typed = here("service", "set", "shpo", "--queue", "1")
    assert typed.exit_code == 4 and "did you mean shop?" in typed.stderr
    assert "not known" not in typed.stderr


def test_listen_makes_a_listener_document(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080", "--listen", "127.0.0.9:80")
    assert "listen: 127.0.0.9:80" in here.config()["listener-shop.yaml"]
    here.ok("service", "delete", "shop")
    assert list(here.config()) == ["site-here.yaml"]


def test_listening_for_a_service_of_another_site_needs_no_declaration_here(
    here: CommandLine,
) -> None:
    words = ("service", "set", "shop", "--listen", "auto")
    assert here.json(*words)["change"] == "created"
    assert here.json(*words)["change"] == "unchanged"
    assert "once a declaration of it counts here" in here.ok(*words).stdout
    assert list(here.config()) == ["listener-shop.yaml", "site-here.yaml"]
    assert here("service", "set", "shop", "--listen", "auto", "--queue", "3").exit_code == 4
    assert here("service", "set", "No_Name", "--listen", "auto").exit_code == 2


def test_a_listener_and_a_rule_of_another_sites_service_are_set_in_one_command(
    here: CommandLine,
) -> None:
    words = ("service", "set", "shop", "--listen", "9443", "--site-capacity", "5")
    told = here.ok(*words).stdout
    assert told == (
        "service shop: here listens for it at 9443, once a declaration of it counts here; "
        "takes 5 at once\n"
    )
    assert here.config("here").keys() >= {"listener-shop.yaml", "policy-shop.yaml"}
    assert here.json(*words)["change"] == "unchanged"


def test_bind_is_keyed_by_service_target_and_ports(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    assert here.json(*BIND, "--capacity", "10")["change"] == "created"
    assert here.json(*BIND, "--capacity", "10")["change"] == "unchanged"
    assert here.json(*BIND)["change"] == "unchanged"
    assert here.json(*BIND, "--capacity", "12")["change"] == "updated"
    assert here.json(*BIND[:-1], "9002", "--capacity", "3")["change"] == "created"
    connectors = {n: t for n, t in here.config().items() if n.startswith("connector-")}
    assert sorted(text.splitlines()[-1] for text in connectors.values()) == [
        "  capacity: 12",
        "  capacity: 3",
    ]


def test_unbind_without_ports_takes_all_of_that_target(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    for port in ("9001", "9002", "9003"):
        here.ok(*BIND[:-1], port)
    unbind = ("service", "unbind", "shop", "host/127.0.0.1")
    here.ok(*unbind, "--target-port", "9002")
    assert len([name for name in here.config() if name.startswith("connector-")]) == 2
    assert here.json(*unbind)["change"] == "deleted"
    assert list(here.config()) == ["service-shop.yaml", "site-here.yaml"]
    assert here.json(*unbind)["change"] == "unchanged"


def test_unbind_leaves_the_other_targets_of_a_connector(here: CommandLine) -> None:
    text = """\
apiVersion: spillway/v1
kind: Connector
name: shop-here
spec:
  service: shop
  targets: [{host: 10.0.0.1, port: 1}, {host: 10.0.0.2, port: 1}]
  capacity: 5
"""
    here.ok("apply", "-f", "-", stdin=text)
    assert here.json("service", "bind", "shop", "host", "10.0.0.2", "--target-port", "1")[
        "change"
    ] == ("unchanged")
    shared = here(
        *("service", "bind", "shop", "host", "10.0.0.2"), "--target-port=1", "--capacity=9"
    )
    assert shared.exit_code == 5
    here.ok("service", "set", "shop", "--capacity", "9")
    here.ok("service", "unbind", "shop", "host", "10.0.0.2")
    left = here.config()["connector-shop-here.yaml"]
    assert "10.0.0.1" in left
    assert "10.0.0.2" not in left
    assert "capacity: 9" in left


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("shop", "deployment", "web"), 7, "needs Kubernetes"),
        (("shop", "deployment/web"), 7, "needs Kubernetes"),
        (("shop", "vm", "web"), 2, "unknown target type 'vm'"),
        (("shop", "http://10.0.0.1:9001"), 2, "Leave http:// out: host 127.0.0.1"),
        (("shop", "host", "a b"), 2, "not a host name"),
        (("shop", "host"), 2, "TYPE/NAME"),
        (("shop", "host", "h", "--target-port", "0"), 2, "not a port"),
        (("shop", "host", "h", "--capacity", "0/s"), 2, "expected a rate"),
        (("shop", "host", "h", "--capacity", "9,8"), 2, "twice"),
        (("shop", "host", "h", "--capacity", "x"), 2, "is no capacity"),
        (("shop", "host", "h", "--target-port", "1", "--target-port", "2"), 1, "has 1 port"),
        (("nope", "host", "h"), 4, "no service 'nope' is known"),
        (("shop", "host", "127.0.0.1"), 1, "this site's own address"),
    ],
)
def test_bind_says_what_it_cannot_bind(
    here: CommandLine, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    here.ok("service", "create", "shop", "8080")
    result = here("service", "bind", *words)
    assert (result.exit_code, said in result.stderr) == (exit_code, True), result.stderr
    assert list(here.config()) == ["service-shop.yaml", "site-here.yaml"]


def test_two_hosts_that_look_alike_have_documents_of_their_own(here: CommandLine) -> None:
    for host in ("a.b", "a-b"):
        here.ok("service", "bind", "shop", "host", host, "--target-port", "1")
    assert len([name for name in here.config() if name.startswith("connector-")]) == 2


def test_expose_makes_service_and_target_in_one_word(here: CommandLine) -> None:
    words = ("expose", "host", "127.0.0.1", "--address", "shop", "--port", "8080")
    more = ("--target-port", "9001", "--protocol", "http", "--capacity", "10")
    assert here.json(*words, *more)["change"] == "created"
    assert here.json(*words, *more)["change"] == "unchanged"
    assert here(*words[:-1], "8081", *more).exit_code == 5
    gone = here.ok("unexpose", "host", "127.0.0.1", "--address", "shop")
    assert gone.stderr == "service shop is deleted, with its last target here\n"
    assert list(here.config()) == ["site-here.yaml"]
    again = here.json("unexpose", "host", "127.0.0.1", "--address", "shop")
    assert again["change"] == "unchanged"


def test_expose_leaves_nothing_behind_when_the_target_cannot_be(here: CommandLine) -> None:
    words = ("expose", "host", "127.0.0.1", "--address", "shop", "--port", "8080")
    assert here(*words).exit_code == 1
    assert here(*words, "--target-port", "1", "--capacity", "-1").exit_code == 2
    assert list(here.config()) == ["site-here.yaml"]


def test_expose_of_what_needs_kubernetes_says_so(here: CommandLine) -> None:
    assert here("expose", "deployment", "web", "--port", "80").exit_code == 7
    assert here("expose", "host", "10.0.0.1", "--port", "80").exit_code == 2


def test_apply_takes_all_documents_or_none(here: CommandLine) -> None:
    wrong = SHOP + "---\n" + SHOP.replace("shop", "other").replace("8080", "0")
    result = here("apply", "-f", "-", stdin=wrong)
    assert result.exit_code == 1
    assert "stdin:11:11: expected a port from 1 to 65535" in result.stderr
    assert list(here.config()) == ["site-here.yaml"]
    right = wrong.replace("[0]", "[81]")
    result = here.ok("apply", "-f", "-", stdin=right)
    assert result.stdout == "service shop created\nservice other created\n"
    assert "service shop unchanged" in here.ok("apply", "-f", "-", stdin=right).stdout


def test_apply_refuses_documents_that_contradict_the_site(here: CommandLine) -> None:
    here.ok("apply", "-f", "-", stdin=SHOP)
    connector = """\
apiVersion: spillway/v1
kind: Connector
name: loop
spec: {service: shop, targets: [{host: localhost, port: 8080}]}
"""
    result = here("apply", "-f", "-", stdin=connector)
    assert result.exit_code == 1
    assert "own address" in result.stderr
    assert "connector-loop.yaml" not in here.config()


def test_apply_of_a_site_document_makes_the_site(sitectl: CommandLine) -> None:
    site = "apiVersion: spillway/v1\nkind: Site\nname: west\nspec: {bindPort: 7000}\n---\n"
    assert sitectl.ok("apply", "-f", "-", stdin=site + SHOP).stdout == (
        "site west created\nservice shop created\n"
    )
    assert (sitectl.state / "west" / "secrets" / "identity.key").exists()


def test_get_prints_what_apply_takes(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    assert here.ok("get", "service/shop", "-o", "yaml").stdout == SHOP
    assert here.json("get", "service", "shop")["spec"] == {"ports": [8080]}
    assert [item["name"] for item in here.json("get", "services")] == ["shop"]
    assert "service-shop.yaml:1" in here.ok("get", "all").stdout
    assert here("get", "service", "nope").exit_code == 4
    assert "Did you mean 'service'?" in here("get", "servce").stderr


def test_delete_removes_the_site_and_again_nothing(here: CommandLine) -> None:
    assert here.json("delete", "--yes")["change"] == "deleted"
    assert not (here.state / "here").exists()
    assert here.json("delete", "--site", "here", "--yes")["change"] == "unchanged"


def test_a_verb_tells_a_running_router_to_look_at_once(here: CommandLine, admin: FakeAdmin) -> None:
    here.ok("service", "create", "shop", "8080")
    assert admin.commands == [{"command": "reload", "arguments": {}}]
    here.ok("service", "create", "shop", "8080")
    assert len(admin.commands) == 1


def test_skuppers_flags_of_services_are_taken(here: CommandLine) -> None:
    here.ok("service", "create", "a", "8080", "--enable-ingress", "Always", "--tls-cert", "x")
    assert "listener-a.yaml" not in here.config()
    here.ok("service", "create", "b", "8081", "--enable-ingress", "Never", "--aggregate", "json")
    assert "listen: none" in here.config()["listener-b.yaml"]
    flags = ("--event-channel", "--proxy-memory", "1Gi", "--proxy-pod-affinity", "app=x")
    here.ok("expose", "host", "10.0.0.1", "--address", "c", "--port", "8082", *flags)
    here.ok("service", "unbind", "c", "host", "10.0.0.1", "--target-namespace", "x")


def test_two_commands_that_change_one_service_do_not_lose_each_others_change(
    here: CommandLine,
) -> None:
    """The second waits until the first has written, and then reads the result."""
    here.ok("service", "create", "shop", "8080")
    flags = [("--queue", "7"), ("--queue-wait", "3s"), ("--policy", "balanced")]
    command = [sys.executable, "-m", "sitectl", "--state", str(here.state), "service", "set"]
    for _ in range(3):
        here.ok("service", "set", "shop", "--queue", "1", "--queue-wait", "1s", "--policy", "fill")
        running = [
            subprocess.Popen([*command, "shop", *flag], stdout=DEVNULL, stderr=DEVNULL)
            for flag in flags
        ]
        assert [process.wait(30) for process in running] == [0, 0, 0]
        text = here.config()["service-shop.yaml"]
        assert "queue: 7" in text and "queueWait: 3s" in text and "name: balanced" in text, text


def test_a_site_that_is_being_changed_for_long_is_an_error_that_says_so(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "HOLD_WAIT_S", 0.05)
    with locked(here.state / "here" / ".lock"):
        result = here("service", "create", "shop", "8080", "-o", "json")
        here.ended(3, "service", "status")  # Looking needs no lock.
    assert result.exit_code == 6
    assert json.loads(result.stderr)["code"] == "site-held"
    here.ok("service", "create", "shop", "8080")


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("cookie", {"by": "cookie"}),
        ("cookie:sid", {"by": "cookie", "name": "sid"}),
        ("header:X-User", {"by": "header", "name": "X-User"}),
        ("client", {"by": "client"}),
    ],
)
def test_affinity_is_written_changed_and_taken_off(
    here: CommandLine, words: str, written: dict[str, str]
) -> None:
    create = ("service", "create", "shop", "8080", "--protocol", "http")
    here.ok(*create, "--affinity", words)
    document = here.json("get", "service", "shop")
    assert document["spec"]["affinity"] == written
    (shown,) = here.json("service", "status", "shop", code=3)
    name = "spillway-shop" if words == "cookie" else written.get("name", "")
    assert shown["affinity"] == {"by": written["by"], "name": name}
    here.ok("service", "set", "shop", "--affinity", "none")
    assert "affinity" not in here.config()["service-shop.yaml"]


@pytest.mark.parametrize(
    "words", ["", "cookies", "cookie:", "header", "header:", "header:a b", "client:x", "none:x"]
)
def test_an_affinity_that_means_nothing_is_refused(here: CommandLine, words: str) -> None:
    result = here("service", "create", "shop", "80", "--protocol", "http", "--affinity", words)
    assert result.exit_code == 2
    assert "--affinity" in result.stderr


def test_a_tcp_service_cannot_have_sessions_by_what_only_http_shows(here: CommandLine) -> None:
    result = here("service", "create", "db", "5432", "--affinity", "cookie")
    assert result.exit_code == 2
    assert "needs protocol http" in result.stderr
    here.ok("service", "create", "db", "5432", "--affinity", "client")
    assert here("service", "set", "db", "--affinity", "header:X").exit_code == 2


def test_request_ids_are_switched_on_named_and_off(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080", "--protocol", "http", "--request-id")
    assert "  requestId: X-Request-Id\n" in here.config()["service-shop.yaml"]
    here.ok("service", "set", "shop", "--request-id=X-Trace")
    assert "  requestId: X-Trace\n" in here.config()["service-shop.yaml"]
    here.ok("service", "set", "shop", "--queue", "3")
    assert "  requestId: X-Trace\n" in here.config()["service-shop.yaml"]
    here.ok("service", "set", "shop", "--request-id=")
    assert "requestId" not in here.config()["service-shop.yaml"]


def test_clients_that_finish_early_are_served_where_it_is_wanted(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080", "--protocol", "http", "--half-close", "serve")
    assert "  halfClose: serve\n" in here.config()["service-shop.yaml"]
    here.ok("service", "set", "shop", "--queue", "3")
    assert "  halfClose: serve\n" in here.config()["service-shop.yaml"]
    here.ok("service", "set", "shop", "--half-close", "cancel")
    assert "halfClose" not in here.config()["service-shop.yaml"]
    assert here("service", "set", "shop", "--half-close", "later").exit_code == 2


@pytest.mark.parametrize("name", ["two words", "Host", "content-length", "a:b"])
def test_a_field_that_cannot_carry_an_id_is_refused(here: CommandLine, name: str) -> None:
    result = here("service", "create", "shop", "8080", f"--request-id={name}")
    assert result.exit_code == 2
    assert "service-shop.yaml" not in here.config()


def test_init_takes_what_is_to_be_seen_of_requests(sitectl: CommandLine) -> None:
    sitectl.ok("init", "east", "--access-log-share", "0.25", "--tracing")
    text = sitectl.config("east")["site-east.yaml"]
    assert "  accessLogShare: 0.25\n  tracing: true\n" in text
    assert sitectl("init", "west", "--access-log-share", "2").exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("service", "create", "shop", "80"),
        ("expose", "host", "127.0.0.1", "--address", "shop", "--port", "80"),
        ("token", "create", "t.yaml"),
        ("revoke-access", "--yes"),
    ],
)
def test_a_dry_run_at_a_process_site_is_refused_before_anything_is_written(
    here: CommandLine, words: tuple[str, ...]
) -> None:
    before = here.config("here")
    result = here(*words, "--dry-run")
    assert result.exit_code == 2
    assert "--dry-run is for sites on Kubernetes" in result.stderr
    assert here.config("here") == before


def test_init_without_flags_takes_a_site_as_it_is(sitectl: CommandLine) -> None:
    sitectl.ok("init", "east", "--bind-port", "55999")
    before = sitectl.config("east")
    assert "unchanged" in sitectl.ok("init", "east").stdout
    assert sitectl.config("east") == before
    other = sitectl("init", "east", "--bind-port", "55998")
    assert other.exit_code == 5 and "other settings" in other.stderr


def test_skuppers_flags_of_a_host_say_where_clients_connect(here: CommandLine) -> None:
    words = ("service", "create", "one", "80", "--host-ip", "127.0.0.3", "--host-port", "8080")
    told = here.ok(*words, "--container-name", "one-proxy", "--label", "a=b").stderr
    assert told.count("--container-name: not needed here") == 1
    assert told.count("--label: not needed here") == 1
    assert "listen: 127.0.0.3:8080" in here.config()["listener-one.yaml"]
    assert "unchanged" in here.ok(*words).stdout
    here.ok("service", "create", "two", "81", "82", "--host-port", "82:8282")
    assert "listen:" not in here.config()["listener-two-81.yaml"], "the default: its own number"
    assert "listen: 0.0.0.0:8282" in here.config()["listener-two-82.yaml"]
    here.ok("service", "create", "six", "83", "84", "--host-ip", "::1")
    assert "[::1]:auto" in here.config()["listener-six.yaml"]
    target = ("expose", "host", "127.0.0.1", "--address", "db", "--port", "5432")
    here.ok(*target, "--host-ip", "127.0.0.4", "--host-port", "15432")
    assert "listen: 127.0.0.4:15432" in here.config()["listener-db.yaml"]


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--host-ip", "db.lan"), 2),
        (("--host-ip", "db.lan", "--host-port", "8080"), 2),
        (("--host-port", "zero"), 2),
        (("--host-port", "81:8080"), 5),  # A port that the service does not have.
        (("--host-port", "8080", "--host-port", "8081"), 5),
    ],
)
def test_a_place_that_does_not_fit_declares_nothing(
    here: CommandLine, flags: tuple[str, ...], code: int
) -> None:
    before = here.config()
    assert here("service", "create", "one", "80", *flags).exit_code == code
    assert here.config() == before


@pytest.mark.parametrize(
    "words, says",
    (
        (("init", "a", "--workers", "2", "--router-mode", "edge"), "an edge router is one process"),
        (("init", "a", "--workers", "2", "--peer", "10.0.0.2:55671"), "--peer none"),
    ),
)
def test_where_a_router_is_one_process_the_next_step_is_told(
    sitectl: CommandLine, words: list[str], says: str
) -> None:
    refused = sitectl(*words)
    assert refused.exit_code == 2 and says in refused.stderr
    assert not sitectl.state.exists()


def test_workers_and_peers_keep_each_other_out_with_the_next_step(here: CommandLine) -> None:
    here.ok("update", "--workers", "2")
    refused = here("update", "--peer", "10.0.0.2:55671")
    assert refused.exit_code == 2 and "update --workers 1, then this again" in refused.stderr
    here.ok("update", "--workers", "1")
    here.ok("update", "--peer", "10.0.0.2:55671")
    refused = here("update", "--workers", "2")
    assert refused.exit_code == 2 and "--peer none" in refused.stderr
    here.ok("update", "--peer", "none", "--workers", "2")
    assert "workers: 2" in here.config("here")["site-here.yaml"]
