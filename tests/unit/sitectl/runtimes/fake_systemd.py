"""systemctl, journalctl, loginctl and systemd-sysusers, played by one script on PATH.

It keeps units in a directory as systemd does: the units loaded at the last daemon-reload, those
enabled, those running. A test that sets ``ready`` (a FakeAdmin) plays a unit's router. The
script runs 350 times in a test run, and imports only modules that Python has imported anyway.
"""

import marshal
import os
import sys
from ast import literal_eval
from pathlib import Path
from typing import Any

_SCRIPT = """#!{python} -IS
import marshal, os, sys
place = {place!r}
with open(place + "/state", "rb") as kept:
    state = marshal.load(kept)
program, words = os.path.basename(sys.argv[0]), sys.argv[1:]
with open(place + "/calls", "a") as calls:
    calls.write(repr([program, *words]) + "\\n")

def text(path):
    with open(path) as file:
        return file.read()

words = [word for word in words if word not in ("--user", "--value", "--no-block")]
unit = next((word for word in words[1:] if word.endswith(".service")), "")
file = os.path.join(state["units"], unit)
if state["refused"]:
    print(state["refused"], file=sys.stderr)
    sys.exit(1)
if program == "journalctl":
    print("\\n".join(state["journal"]))
elif program == "loginctl":
    print(state["linger"])
elif words[:1] == ["show"] and not unit:
    print(state["version"])
elif words[:1] == ["show"]:
    loaded = state["loaded"].get(unit)
    there = text(file) if os.path.exists(file) else None
    was = state["was"] if state["lag"] else state["run"]
    state["lag"] = max(0, state["lag"] - 1)
    known = {{
        **was,
        "LoadState": "loaded" if loaded is not None else "not-found",
        "NeedDaemonReload": "yes" if loaded not in (None, there) else "no",
    }}
    wanted = next(word for word in words if word.startswith("--property=")).partition("=")[2]
    for key in wanted.split(","):
        print(f"{{key}}={{known.get(key, '')}}")
elif words[:1] == ["daemon-reload"]:
    units = os.listdir(state["units"]) if os.path.exists(state["units"]) else []
    state["loaded"] = {{
        unit: text(os.path.join(state["units"], unit))
        for unit in units
        if unit.endswith(".service")
    }}
elif words[:1] in (["is-enabled"], ["is-active"]):
    enabled = unit in state["enabled"]
    print(("enabled" if enabled else "disabled") if "is-enabled" in words else "active")
    sys.exit(0 if enabled else 1)
elif words[:1] == ["enable"]:
    state["enabled"] = [*state["enabled"], unit]
elif words[:1] == ["disable"]:
    state["enabled"] = [one for one in state["enabled"] if one != unit]
elif words[:1] in (["start"], ["restart"]):
    if unit not in state["loaded"]:
        print(f"Failed to {{words[0]}} {{unit}}: Unit {{unit}} not found.", file=sys.stderr)
        sys.exit(5)
    number = int(state["run"].get("InvocationID") or 0) + 1
    state["was"], state["lag"] = state["run"], state["lag_after_start"]
    state["run"] = {{**state["after_start"], "InvocationID": str(number)}}
elif words[:1] == ["stop"]:
    state["run"] = {{**state["run"], **state["after_stop"]}}
with open(place + "/state", "wb") as kept:
    marshal.dump(state, kept)
"""

GONE = {"ActiveState": "inactive", "SubState": "dead", "MainPID": "0"}
ACTIVE = {"ActiveState": "active", "SubState": "running", "MainPID": "77"}


class FakeSystemd:
    """Programs in ``place / "bin"``, to be put on PATH."""

    def __init__(self, place: Path, units: Path) -> None:
        self._place = place
        self.bin = place / "bin"
        self.bin.mkdir(parents=True)
        script = _SCRIPT.format(python=sys.executable, place=str(place))
        for name in ("systemctl", "journalctl", "loginctl"):
            (self.bin / name).write_text(script)
            (self.bin / name).chmod(0o755)
        self._state: dict[str, Any] = {
            "units": str(units),
            "version": "252.38-1~deb12u1",
            "linger": "yes",
            "refused": "",
            "loaded": {},
            "enabled": [],
            "journal": [],
            "run": {**GONE, "InvocationID": ""},
            "was": {},
            "lag": 0,
            "lag_after_start": 0,
            "after_start": ACTIVE,
            "after_stop": GONE,
        }
        self._write()

    def set(self, **fields: Any) -> None:
        """Change its answers: ``linger``, ``journal``, ``refused``, ``after_start``, …"""
        self._state = marshal.loads((self._place / "state").read_bytes())
        self._state.update(fields)
        self._write()

    def get(self, name: str) -> Any:
        """A part of its state: ``enabled``, ``loaded``, ``run``."""
        return marshal.loads((self._place / "state").read_bytes())[name]

    def orders(self) -> list[list[str]]:
        """The commands that change something, without queries and flags."""
        path = self._place / "calls"
        calls = map(literal_eval, path.read_text().splitlines()) if path.exists() else ()
        asked = {"show", "show-user", "is-enabled", "is-active"}
        plain = [[word for word in call[1:] if not word.startswith("-")] for call in calls]
        return [words for words in plain if words and words[0] not in asked]

    def forget_orders(self) -> None:
        """Start a new list."""
        (self._place / "calls").unlink(missing_ok=True)

    def _write(self) -> None:
        temporary = self._place / f"state.{os.getpid()}"
        temporary.write_bytes(marshal.dumps(self._state))
        temporary.rename(self._place / "state")
