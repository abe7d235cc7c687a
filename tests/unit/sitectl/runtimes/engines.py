"""podman and systemctl, played by one small program that runs `FAKE_ROUTER` and keeps its words.

It runs 300 times in a test run, and imports only what Python has imported anyway.
"""

import marshal
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sitectl.fakes import FAKE_ROUTER

SOURCE = Path(__file__).parents[3]

_PROGRAM = """
import marshal, os, sys
place = {place!r}
with open(place + "/state", "rb") as file:
    state = marshal.load(file)
program, words = os.path.basename(sys.argv[0]), sys.argv[1:]
with open(place + "/log", "a") as log:
    print(program, *words, file=log)
with open(place + "/runs", "a") as runs:
    print(os.environ.get("XDG_RUNTIME_DIR"), file=runs)

def keep():
    with open(place + "/state", "wb") as file:
        marshal.dump(state, file)

def begin():
    import subprocess

    command = [sys.executable, "-c", state["router"], "--site-dir", state["site"], {source!r}]
    state["pid"] = subprocess.Popen(command, stdin=-3, stdout=-3, stderr=-3).pid

def end():
    if state["pid"]:
        os.kill(state["pid"], {term})
        state["pid"] = 0

def drains():
    if not state["drains"]:
        return False
    try:
        with open("/proc/" + str(state["pid"]) + "/stat") as stat:
            return stat.read().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False

def podman():
    word = words[0]
    if word == "--version":
        print("podman version", state["version"])
    elif word == "container":
        if state["away"]:
            sys.exit(state["away"])
        if state["container"] is None:
            print("[]")
            sys.exit("Error: inspecting object: no such container " + words[-1])
        import json
        print(json.dumps([state["container"]]))
    elif word == "image":
        sys.exit(not state["image"])
    elif word == "pull":
        sys.exit("Error: no route to the registry")
    elif word == "run":
        if state["refusal"]:
            sys.exit(state["refusal"])
        labels = dict(w.removeprefix("--label=").split("=", 1) for w in words if "--label=" in w)
        state["container"] = {{
            "State": {{"Status": "running"}}, "RestartCount": 0, "Config": {{"Labels": labels}}
        }}
        if state["last_words"]:
            state["container"]["State"]["Status"] = "exited"
        else:
            begin()
    elif word == "logs":
        print(state["last_words"])
    elif word == "stop":
        end()
        state["container"]["State"]["Status"] = "exited"
    elif word == "rm":
        state["container"] = None

def systemctl():
    word = [w for w in words if w != "--user"][0]
    if word == "show":
        if state["drains"]:
            print("ActiveState=" + ("deactivating" if drains() else "inactive"))
        else:
            print("ActiveState=" + ("active" if state["pid"] else "inactive"))
        print("SubState=running")
        print("InvocationID=" + str(state["pid"] or ""))
    elif word in ("start", "restart"):
        end()
        begin()
    elif word == "stop" and not state["drains"]:
        end()

{{"podman": podman, "systemctl": systemctl}}.get(program, lambda: None)()
keep()
"""


class FakeEngine:
    """The fake programs, on PATH before all others. `set` changes the state that they find."""

    def __init__(self, place: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._place = place
        programs = place / "bin"
        programs.mkdir(parents=True)
        text = f"#!{sys.executable} -IS\n" + _PROGRAM.format(
            place=str(place), source=str(SOURCE), term=int(signal.SIGTERM)
        )
        for name in ("podman", "systemctl", "journalctl", "loginctl"):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        self._keep(
            {
                **{"site": str(site), "router": FAKE_ROUTER, "pid": 0, "version": "5.4.2"},
                **{"container": None, "image": True, "refusal": "", "away": "", "drains": False},
                **{"last_words": ""},
            }
        )

    def set(self, **fields: Any) -> None:
        """Change the state that the programs find."""
        self._keep(self.state | fields)

    @property
    def state(self) -> dict[str, Any]:
        """The state that the programs find."""
        found: dict[str, Any] = marshal.loads((self._place / "state").read_bytes())
        return found

    def said(self, *start: str) -> list[str]:
        """The command lines so far that begin with these words."""
        path = self._place / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(" ".join(start))]

    def runtime_directories(self) -> frozenset[str]:
        """The directories of a user's containers and buses that they were given so far."""
        return frozenset((self._place / "runs").read_text().splitlines())

    def router_words(self) -> list[str]:
        """The command line of the router as a plain process."""
        state = self.state
        return [sys.executable, "-c", state["router"], "--site-dir", state["site"], str(SOURCE)]

    def close(self) -> None:
        """End the running router."""
        pid = self.state["pid"]
        if pid:
            os.kill(pid, signal.SIGKILL)

    def _keep(self, state: dict[str, Any]) -> None:
        (self._place / "state").write_bytes(marshal.dumps(state))
