"""The page for a v2 site on a host, typed; Skupper itself is a program that does the same."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.scenario.harness import ROOT, Network
from tests.scenario.test_skupper2 import PORT, answer, v2
from tests.scenario.waiting import until

PAGE = ROOT / "docs" / "kubernetes-migration.md"
SKUPPER = """#!/bin/sh
# `skupper system`: one listener of a namespace, whose folder `stop` removes.
folder=$HOME/.local/share/skupper/namespaces/default
case "$*" in
"system start")
  test -d "$folder" || exit 1
  nohup {python} -c "{serve}" >/dev/null 2>&1 &
  echo $! > "$HOME/skupper.pid" ;;
"system stop") kill "$(cat "$HOME/skupper.pid")" && rm -r "$folder" ;;
esac
"""
SERVE = """
import socket
server = socket.create_server(('{host}', {port}))
while True:
    client, _ = server.accept()
    client.recv(100)
    client.sendall(b'skupper')
    client.close()
"""


def blocks() -> list[str]:
    """What the section has people type: there, and back."""
    section = PAGE.read_text("utf-8").partition("### A v2 site on a host")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def test_a_v2_site_on_a_host_moves_as_the_page_says_and_back(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        target, west = network.tcp("postgres"), network.site("west")
        there, back = blocks()
        made = tmp_path / "home/.local/share/skupper/namespaces/default/input/resources"
        made.mkdir(parents=True)
        access = (
            f"  roles: [{{name: inter-router, port: {PORT + 1}}}]\n"
            f"  bindHost: {west.address}\n  subjectAlternativeNames: [{west.address}]\n"
        )
        head = v2("RouterAccess", "onprem", tlsCredentials="skupper-site-server")
        objects = {
            "Site-onprem": v2("Site", "onprem", linkAccess="default"),
            "RouterAccess-onprem": head + access,
            "Connector-db": v2(
                "Connector", "db", routingKey="db", host=target.address, port=target.port
            ),
            "Listener-db": v2("Listener", "db", routingKey="db", host=west.address, port=PORT),
            "Link-cloud": v2("Link", "cloud", tlsCredentials="cloud", endpoints="[]"),
            "AccessToken-x": v2(
                "AccessToken", "x", url="https://10.0.0.9:9090/x", code="c", ca="c"
            ),
        }
        for name, text in objects.items():
            (made / f"{name}.yaml").write_text(text)
        programs = tmp_path / "bin"
        programs.mkdir()
        serve = SERVE.format(host=west.address, port=PORT)
        skupper = programs / "skupper"
        skupper.write_text(SKUPPER.format(python=sys.executable, serve=serve))
        skupper.chmod(0o755)
        own = Path(sys.executable).parent
        environment = {
            **os.environ,
            "HOME": str(tmp_path / "home"),
            "PATH": f"{programs}:{own}:{os.environ['PATH']}",
            "SITECTL_PLATFORM": "process",
            "SITECTL_STATE": str(tmp_path / "state"),
        }
        environment.pop("XDG_DATA_HOME", None)

        def typed(text: str) -> None:
            done = subprocess.run(
                ["bash", "-ec", text], env=environment, capture_output=True, text=True, timeout=100
            )
            assert done.returncode == 0, done.stdout + done.stderr

        network.start()
        try:
            typed("skupper system start")
            until(lambda: answer(west.address, PORT) == "skupper", "Skupper serves the key")
            typed(there)
            until(lambda: answer(west.address, PORT) == "postgres", "Spillway does")
            assert not made.exists()
            token = (tmp_path / "home" / "onprem.token").read_text("utf-8")
            assert f"{west.address}:{PORT + 1}" in token
            typed(back)
            until(lambda: answer(west.address, PORT) == "skupper", "Skupper does again")
            assert {one.stem for one in made.iterdir()} == set(objects)
        finally:
            typed("sitectl stop --site onprem || true")
            os.kill(int((tmp_path / "home" / "skupper.pid").read_text()), signal.SIGTERM)
