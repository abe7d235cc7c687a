"""Every flag of Skupper v1's commands (cmd/skupper in its repository) is taken by ours."""

import click
import pytest

from sitectl.main import cli

_PROXIES = (
    *("--bridge-image", "--proxy-cpu", "--proxy-memory", "--proxy-cpu-limit"),
    *("--proxy-memory-limit", "--proxy-node-selector", "--proxy-pod-affinity"),
    "--proxy-pod-antiaffinity",
)
_MULTICAST = ("--aggregate", "--event-channel")
_OF_PODMAN = ("--host-ip", "--host-port", "--container-name", "--label")
FLAGS = {
    "init": (
        *("--site-name", "--router-mode", "--routers", "--ingress", "--ingress-host", "--labels"),
        *("--enable-console", "--enable-flow-collector", "--enable-service-sync", "--timeout"),
        *("--console-auth", "--console-user", "--console-password", "--ingress-bind-ip"),
        *("--bind-port", "--bind-port-edge", "--container-network", "--enable-ipv6"),
        *("--podman-endpoint", "--bind-port-flow-collector"),
    ),
    "update": ("--force-restart",),
    "status": ("--verbose", "-v"),
    "token create": (
        *("--token-type", "--name", "--password", "--expiry", "--uses", "--template"),
        "--ingress-host",
    ),
    "link create": ("--name", "--cost"),
    "link status": ("--wait", "-v"),
    "network status": ("-v", "--site"),
    "expose": (
        *("--address", "--port", "--target-port", "--protocol", "--headless"),
        *("--target-namespace", "--generate-tls-secrets", "--tls-cert", "--tls-trust"),
        *("--publish-not-ready-addresses", "--enable-ingress-from-target-site"),
        *(*_PROXIES, *_MULTICAST, *_OF_PODMAN),
    ),
    "unexpose": ("--address", "--target-namespace"),
    "service create": ("--protocol", "--enable-ingress", "--tls-cert", *_MULTICAST, *_OF_PODMAN),
    "service bind": ("--target-port", "--tls-trust", "--headless", "--target-namespace"),
    "gateway init": ("--type", "--config", "--exportonly"),
    "gateway expose": ("--protocol", "--type", *_MULTICAST),
    "gateway unexpose": ("--delete-last",),
    "gateway bind": ("--protocol", *_MULTICAST),
    "gateway unbind": ("--protocol",),
    "gateway forward": ("--loopback", "--protocol", *_MULTICAST),
    "gateway unforward": ("--protocol",),
    "gateway status": (),
    "gateway delete": ("--verbose",),
    "gateway export-config": (),
    "gateway generate-bundle": (),
}


@pytest.mark.parametrize("words", FLAGS)
def test_skuppers_words_are_taken(words: str) -> None:
    command: click.Command = cli
    known = set(option for param in cli.params for option in param.opts)
    for word in words.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, word
        command = found
    known |= {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    assert [flag for flag in FLAGS[words] if flag not in known] == []
