"""What vanishes from a directory of Skupper v2's objects, and what went into another one."""

import shutil
from pathlib import Path

import yaml

from tests.unit.sitectl.conftest import CommandLine


def v2(directory: Path, kind: str, name: str, **spec: object) -> Path:
    """An object in a file of ``directory``."""
    directory.mkdir(exist_ok=True)
    head = {"apiVersion": "skupper.io/v2alpha1", "kind": kind, "metadata": {"name": name}}
    file = directory / f"{kind}-{name}.yaml"
    file.write_text(yaml.safe_dump({**head, "spec": spec}))
    return file


def listener(directory: Path, name: str) -> Path:
    return v2(directory, "Listener", name, routingKey=name, host="127.0.0.1", port=8080)


def test_what_went_into_another_directory_is_not_pruned(
    sitectl: CommandLine, tmp_path: Path
) -> None:
    sitectl.ok("init", "here")
    first, second = tmp_path / "first", tmp_path / "second"
    moved = listener(first, "moved")
    v2(first, "Connector", "stays", routingKey="moved", host="127.0.0.1", port=5432)
    v2(second, "Connector", "other", routingKey="other", host="127.0.0.1", port=5433)
    sitectl.ok("apply", "-f", str(first))
    sitectl.ok("apply", "-f", str(second))
    before = sitectl.config()
    moved.rename(second / moved.name)
    assert "listener moved unchanged" in sitectl.ok("apply", "-f", str(second)).stdout
    told = sitectl.ok("apply", "-f", str(first))
    assert "no longer in" not in told.stderr
    pruned = sitectl.ok("apply", "-f", str(first), "--prune")
    assert "deleted" not in pruned.stdout and sitectl.config() == before

    (second / moved.name).unlink()
    assert "listener moved deleted" in sitectl.ok("apply", "-f", str(second), "--prune").stdout


def test_a_directory_that_is_gone_keeps_nothing(sitectl: CommandLine, tmp_path: Path) -> None:
    sitectl.ok("init", "here")
    first, second = tmp_path / "first", tmp_path / "second"
    lost = listener(first, "lost")
    v2(first, "Connector", "stays", routingKey="stays", host="127.0.0.1", port=5432)
    shutil.copytree(first, second)
    sitectl.ok("apply", "-f", str(first))
    sitectl.ok("apply", "-f", str(second))
    shutil.rmtree(second)
    lost.unlink()
    assert "listener lost deleted" in sitectl.ok("apply", "-f", str(first), "--prune").stdout
