"""Gateway YAML made the state of a gateway of this host, and its state as YAML again."""

import json
from pathlib import Path

import pytest
import yaml

from router.documents.gateway import read_gateway
from router.model.specs import ConnectorSpec, Document, LinkSpec
from router.process.startup import site_lock
from sitectl.gateway.edge import LINK, make_edge_in
from sitectl.gateway.home import GatewayRecord, write_record
from sitectl.runtimes.process import ProcessRuntime
from sitectl.site.directory import DirectorySite
from tests.unit.sitectl.conftest import CommandLine

ONE = "name: db-host\nbindings:\n- {host: db1, service: {address: 'db:5432'}}\n"
TWO = ONE + "forwards:\n- {loopback: true, service: {address: 'api:80', ports: [9090]}}\n"


@pytest.fixture
def gateway(here: CommandLine) -> DirectorySite:
    """A gateway ``db-host`` that does not run."""
    site, _ = make_edge_in(here.state / "gateways.d", "db-host")
    site.put(Document("Link", LINK, LinkSpec()))
    write_record(site, GatewayRecord(platform="process", site="here", site_id="0" * 32))
    return site


def names(site: DirectorySite) -> set[str]:
    """The documents of the gateway, except for its Site and its Link."""
    return {
        f"{document.kind} {document.name}"
        for document in site.documents()
        if document.kind not in ("Site", "Link")
    }


def test_what_the_yaml_says_is_all_that_the_gateway_offers_and_uses(
    here: CommandLine, gateway: DirectorySite
) -> None:
    changes = here(
        "apply",
        "-f",
        "-",
        stdin=TWO,
    )
    assert changes.exit_code == 0, changes.output
    assert names(gateway) == {
        "Service db",
        "Listener db",
        "Connector db-host-db1-5432",
        "Listener api-80",
    }
    assert "connector db-host-db1-5432 unchanged" in here.ok("apply", "-f", "-", stdin=TWO).stdout
    changed = here.ok("apply", "-f", "-", stdin=ONE.replace("db1", "db2")).stdout
    assert "listener api-80 deleted" in changed
    assert names(gateway) == {"Service db", "Listener db", "Connector db-host-db2-5432"}


def test_a_running_gateway_is_given_the_ports_that_the_yaml_brings(
    here: CommandLine, gateway: DirectorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def start(runtime: ProcessRuntime, timeout_s: float) -> bool:
        started.append(runtime.site.name)
        return True

    monkeypatch.setattr(ProcessRuntime, "start", start)
    here.ok("apply", "-f", "-", stdin=TWO)
    assert started == []  # It does not run, so it is not restarted.
    gateway.run.mkdir(exist_ok=True)
    with site_lock(gateway.run / "lock"):
        again = here.ok("apply", "-f", "-", stdin=TWO)
        assert started == [] and "anew" not in again.stderr
        changed = here.ok("apply", "-f", "-", stdin=ONE)
    assert started == ["db-host"]
    assert "was restarted" in changed.stderr


def test_what_yaml_cannot_say_survives(here: CommandLine, gateway: DirectorySite) -> None:
    here.ok("apply", "-f", "-", stdin=ONE)
    connector = gateway.find("Connector", "db-host-db1-5432")
    assert connector is not None and isinstance(connector.spec, ConnectorSpec)
    path = gateway.config / "connector-db-host-db1-5432.yaml"
    path.write_text(path.read_text() + "  capacity: 7\n")
    assert "connector db-host-db1-5432 unchanged" in here.ok("apply", "-f", "-", stdin=TWO).stdout
    assert "capacity: 7" in path.read_text()


def test_documents_in_the_users_own_files_stay(here: CommandLine, gateway: DirectorySite) -> None:
    mine = "apiVersion: spillway/v1\nkind: Service\nname: mine\nspec: {ports: [1]}\n"
    (gateway.config / "own.yaml").write_text(mine)
    here.ok("apply", "-f", "-", stdin=ONE)
    assert "Service mine" in names(gateway)


def test_yaml_of_a_gateway_that_is_not_here_says_how_to_make_it(here: CommandLine) -> None:
    result = here("apply", "-f", "-", stdin=ONE)
    assert result.exit_code == 4
    assert "sitectl gateway init --config" in result.output


def test_wrong_yaml_changes_nothing(here: CommandLine, gateway: DirectorySite) -> None:
    here.ok("apply", "-f", "-", stdin=ONE)
    result = here("apply", "-f", "-", stdin=ONE + "- {host: db2, service: {address: 'db:1'}}\n")
    assert result.exit_code == 1
    assert "stdin:3:1" in result.output
    assert "Connector db-host-db1-5432" in names(gateway)


def test_what_is_exported_is_applied_without_a_change(
    here: CommandLine, gateway: DirectorySite, tmp_path: Path
) -> None:
    here.ok("apply", "-f", "-", stdin=TWO)
    text = here.ok("gateway", "export-config", "-").stdout
    told = json.loads(here.ok("gateway", "export-config", "-", "-o", "json").stdout)
    assert told == yaml.safe_load(text)
    exported, findings = read_gateway(text, "")
    assert exported is not None and findings == []
    changes = here.ok("apply", "-f", "-", stdin=text).stdout.splitlines()
    assert changes and all(line.endswith(" unchanged") for line in changes)
    # As in Skupper: a name and a directory.
    here.ok("gateway", "export-config", "other", str(tmp_path))
    assert (tmp_path / "other.yaml").read_text() == text.replace("db-host", "other", 1)
    path = tmp_path / "g.yaml"
    assert here.json("gateway", "export-config", str(path))["change"] == "created"
    assert here.json("gateway", "export-config", str(path))["change"] == "unchanged"
    missing = here("gateway", "export-config", str(tmp_path / "no" / "g.yaml"))
    assert missing.exit_code == 4


def test_init_takes_name_and_services_from_the_yaml(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ProcessRuntime, "start", lambda *_: False)
    path = tmp_path / "db.yaml"
    path.write_text(TWO)
    words = ("gateway", "init", "--type", "process", "--ingress-host", "10.9.8.7")
    assert here.json(*words, "--config", str(path))["change"] == "created"
    site = DirectorySite(here.state / "gateways.d" / "db-host")
    assert "Connector db-host-db1-5432" in names(site)
    assert here.json(*words, "--config", str(path))["change"] == "unchanged"
    path.write_text("name: other\nbindings: 3\n")
    assert here(*words, "--config", str(path)).exit_code == 1
    assert not (here.state / "gateways.d" / "other").exists()
