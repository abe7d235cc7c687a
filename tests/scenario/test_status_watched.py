"""`status --watch` and `check --wait` of real routers while links and routers go and return."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.scenario.harness import Network, Site
from tests.scenario.waiting import until
from tests.unit.sitectl.terminals import Terminal


class Watched:
    """`VERB --watch` at a terminal."""

    def __init__(self, seen: Terminal) -> None:
        self._seen = seen

    def until(self, *words: str, without: str = "\0") -> None:
        """Read until one picture, drawn from now on, has all ``words`` and not ``without``."""
        start = len(self._seen.text)

        def look(text: str) -> bool:
            pictures = text[start:].split("Ctrl-C ends")[1:-1]
            return any(
                all(word in one for word in words) and without not in one for one in pictures
            )

        self._seen.until(look, f"{words} and not {without!r}")


def watch(site: Site, *verb: str) -> Terminal:
    """``verb --watch`` of a site."""
    words = ("--platform", "process", "--site", site.name, *verb, "--watch", "0.2")
    return Terminal(site.state, *words, columns=160, lines=40)


def test_a_watched_status_is_true_in_every_fault(net: Network) -> None:
    here, there = net.site("here"), net.site("there")
    net.link(here, there)
    net.start()
    net.see_each_other()
    with watch(here, "status") as terminal:
        seen = Watched(terminal)
        seen.until("ready", "2 sites, 1 link,", without="Problem")
        there.kill()
        seen.until("ready, degraded", "0 of 1 link up", "SW0675 Link there to there is down")
        net.start(there)
        seen.until("ready", "2 sites, 1 link,", without="Problem")
        here.ctl("stop")
        seen.until("stopped; this is what is configured", without="ready")
        net.start(here)
        seen.until("ready", "2 sites, 1 link,", without="stopped")
        here.signal(signal.SIGSTOP)
        seen.until("unreachable: the router runs and does not answer", without="ready")
        here.signal(signal.SIGCONT)
        seen.until("ready", "2 sites, 1 link,", without="unreachable")
        here.kill()
        seen.until("stopped; this is what is configured")
        terminal.interrupt()
        assert terminal.end() == 130


def test_a_watched_list_tells_that_its_router_stopped_even_if_it_is_empty(
    net: Network, tmp_path: Path
) -> None:
    site = net.site("alone")
    site.start()
    words = ("--platform", "process", "--state", str(net.state), "--site", site.name)
    printed = tmp_path / "printed"
    with printed.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sitectl", *words, *("link", "status", "--watch", "0.2")],
            stdout=out,
            env=site.paths(),
        )
    try:
        until(lambda: "No links" in printed.read_text(), "the first picture")
        site.ctl("stop")
        until(lambda: "\nstopped: the router of site" in printed.read_text(), "that it stopped")
        site.start()
        until(lambda: printed.read_text().count("--- ") == 3, "that it is back")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()


def test_check_waits_until_a_link_is_up_and_says_what_is_left(net: Network) -> None:
    here, there = net.site("here"), net.site("there")
    net.link(here, there)
    net.start(here)
    late = here.ctl("check", "--wait", "0.2", code=6)
    (left,) = (line for line in late.out.splitlines() if "WARNING" in line)
    assert "ink there" in left
    assert "not well after 0.2 s: 1 warning\n" in late.err
    words = ["--platform", "process", "--site", here.name, "check", "--wait", "60"]
    with Terminal(here.state, *words, columns=160) as terminal:
        net.start(there)
        assert terminal.end() == 0, terminal.text
    assert "link there is up" in terminal.text
    here.ctl("stop")
    assert "the router does not run" in here.ctl("check", "--wait", "0.2", code=6).err
