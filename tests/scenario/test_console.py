"""The console of a real router: log in, look, and what `status` says when it cannot be had."""

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.scenario.harness import Network, Site
from tests.scenario.ports import free_ports
from tests.scenario.waiting import until

PORT = 8010


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    with Network(tmp_path) as made:
        yield made


def console_of(site: Site) -> Any:
    return site.get("status")["console"]


def password(site: Site, user: str = "admin") -> str:
    return (site.directory / "secrets" / "console-users" / user).read_text()


def ask(
    site: Site, path: str, user: str = "admin", word: str = "", url: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a GET, by the address that `status` shows."""
    place = urlsplit(url or console_of(site)["url"])
    assert place.hostname is not None
    connection: http.client.HTTPConnection
    if place.scheme == "https":
        trust = ssl.create_default_context(cafile=str(site.directory / "secrets" / "ca.crt"))
        connection = http.client.HTTPSConnection(
            place.hostname, place.port, timeout=5, context=trust
        )
    else:
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=5)
    packed = base64.b64encode(f"{user}:{word or password(site)}".encode()).decode()
    try:
        connection.request("GET", path, headers={"Authorization": f"Basic {packed}"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def codes(site: Site) -> set[str]:
    return {problem["code"] for problem in site.get("status")["problems"]}


def test_a_console_is_opened_switched_over_and_closed_while_the_router_runs(net: Network) -> None:
    east = net.site("east")
    east.ctl("update", "--enable-console", "--console-bind", f"{east.address}:{PORT}")
    net.start()
    until(lambda: ask(east, "/healthz")[0] == 200, "the console is there")
    status, headers, body = ask(east, "/api/v1/status")
    assert status == 200 and json.loads(body)["item"]["name"] == "east"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert ask(east, "/api/v1/status", word="wrong")[0] == 401
    assert ask(east, "/")[1]["Content-Type"].startswith("text/html")
    assert console_of(east)["secret"] == str(east.directory / "secrets" / "console-users")
    before = password(east)
    east.ctl("update", "--enable-console", "--console-password-file", "-", given="open sesame\n")
    assert ask(east, "/api/v1/status", word=before)[0] == 401
    assert ask(east, "/api/v1/status")[0] == 200
    old = console_of(east)["url"]
    east.ctl("update", "--no-enable-console")
    until(lambda: console_of(east)["url"] == "", "it is switched off")
    until(lambda: refuses(east, old), "nobody listens there")
    log = (east.directory / "run" / "router.log").read_text()
    assert before not in log and "sesame" not in log


def refuses(site: Site, url: str) -> bool:
    try:
        ask(site, "/healthz", url=url)
    except OSError:
        return True
    return False


def test_beyond_loopback_it_shows_a_certificate_of_the_sites_own_ca(net: Network) -> None:
    east = net.site("east")
    port = next(free_ports())
    east.ctl("update", "--console-bind", f"0.0.0.0:{port}")
    net.start()
    url = f"https://localhost:{port}/"
    until(lambda: not refuses(east, url), "it listens")
    assert ask(east, "/api/v1/status", url=url)[0] == 200
    assert console_of(east)["url"].startswith("https://")


def test_a_taken_port_is_a_problem_and_never_the_routers_end(net: Network) -> None:
    east = net.site("east")
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((east.address, PORT))
        holder.listen()
        east.ctl("update", "--console-bind", f"{east.address}:{PORT}")
        net.start()
        until(lambda: "SW0208" in codes(east), "the problem is reported")
        told = east.ctl("status", code=3).out
        place = f"it cannot listen on {east.address}:{PORT}: Address already in use"
        assert place in told
        assert "Console:" not in told, "at that address is somebody else"
    until(lambda: not codes(east), "the port is free and it is served")
    assert ask(east, "/api/v1/status")[0] == 200


def test_a_console_that_nobody_can_log_in_to_says_so(net: Network) -> None:
    east = net.site("east")
    east.ctl("update", "--console-bind", f"{east.address}:{PORT}")
    user = east.directory / "secrets" / "console-users" / "admin"
    word = user.read_text()
    user.unlink()
    net.start()
    until(lambda: codes(east) == {"SW0209"}, "the problem is reported")
    user.write_text(word)
    user.chmod(0o600)
    until(lambda: not codes(east), "it is mended")
    until(lambda: ask(east, "/api/v1/status")[0] == 200, "admin is let in")


def test_one_unusable_user_is_named_while_the_others_log_in(net: Network) -> None:
    east = net.site("east")
    east.ctl("update", "--console-bind", f"{east.address}:{PORT}")
    eve = east.directory / "secrets" / "console-users" / "eve"
    eve.write_text("word")
    eve.chmod(0o644)
    net.start()
    until(lambda: codes(east) == {"SW0210"}, "the problem is reported")
    assert f"{eve} may be used by others (mode 0644)" in east.ctl("status", code=3).out
    assert ask(east, "/api/v1/status")[0] == 200, "admin is let in"
    eve.write_text("")
    eve.chmod(0o600)
    until(lambda: f"{eve} has no password in it" in east.ctl("status", code=3).out, "it is named")
    east.ctl("update", "--enable-console", "--console-user", "eve")
    until(lambda: not codes(east), "the command of the hint gives a password")
