"""Files that root writes into another user's site belong to that user, and stay inside it."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs import files
from certs.errors import CertError
from certs.identity import SiteIdentity

SOMEBODY, ANOTHER = 65_533, 65_532
SOURCE = Path(__file__).parents[3]

pytestmark = pytest.mark.root("give files away")


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory that another user owns and can reach."""
    place = Path(tempfile.mkdtemp(prefix="spillway-"))
    place.chmod(0o755)
    made = place / "site"
    made.mkdir(mode=0o700)
    os.chown(made, SOMEBODY, SOMEBODY)
    yield made
    shutil.rmtree(place)


def strangers(directory: Path) -> list[Path]:
    found = (directory, *directory.rglob("*"))
    return [path for path in found if path.lstat().st_uid != SOMEBODY]


def test_secrets_directories_and_locks_belong_to_whom_the_directory_belongs(theirs: Path) -> None:
    made = SiteIdentity.create(theirs / "secrets")
    files.write_whole(theirs / "site.yaml", b"kind: Site", 0o644)
    files.make_directory(theirs / "a" / "b" / "c")
    with files.locked(theirs / ".lock"):
        pass
    assert strangers(theirs) == []
    assert stat.S_IMODE((theirs / "site.yaml").stat().st_mode) == 0o644
    assert stat.S_IMODE((theirs / "secrets").stat().st_mode) == 0o700
    assert SiteIdentity.load(theirs / "secrets").site_id == made.site_id


def test_the_owner_goes_on_with_what_root_wrote(theirs: Path) -> None:
    made = SiteIdentity.create(theirs / "secrets")
    with files.locked(theirs / ".lock"):
        pass
    script = (
        "import sys; from pathlib import Path; from certs import files\n"
        "from certs.identity import SiteIdentity\n"
        "site = Path(sys.argv[1])\n"
        "with files.locked(site / '.lock'): files.write_secret(site / 'secrets/identity.key',"
        " files.read_secret(site / 'secrets/identity.key'))\n"
        "print(SiteIdentity.load(site / 'secrets').site_id)\n"
    )
    ended = run_as_somebody(script, theirs)
    assert ended.stdout.strip() == made.site_id, ended.stderr


def run_as_somebody(script: str, site: Path) -> "subprocess.CompletedProcess[str]":
    """Run it with the imports done by root: Python may lie where only root can look."""
    drop = (
        "import os, sys, cryptography.hazmat.primitives.asymmetric.ec, certs.identity\n"
        f"os.setgroups([]); os.setgid({SOMEBODY}); os.setuid({SOMEBODY})\n"
    )
    command = [sys.executable, "-c", drop + script, str(site)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=SOURCE, timeout=60, check=False
    )


@pytest.mark.parametrize("where", ["secrets", "secrets/links"])
def test_a_link_that_they_put_does_not_lead_root_elsewhere(theirs: Path, where: str) -> None:
    victim = theirs.parent / "victim"
    victim.mkdir()
    (theirs / where).parent.mkdir(exist_ok=True)
    (theirs / where).symlink_to(victim)
    os.chown(theirs / where, SOMEBODY, SOMEBODY, follow_symlinks=False)
    refused = pytest.raises(CertError, match=f"symbolic link of user {SOMEBODY}")
    with refused:
        files.write_secret(theirs / where / "key", b"secret")
    with refused:
        files.make_directory(theirs / where / "made")
    with refused, files.locked(theirs / where / "lock"):
        pass
    assert list(victim.iterdir()) == []


def test_a_link_of_roots_in_their_directory_is_none_of_roots_making(theirs: Path) -> None:
    """They may have moved it there from where root made it."""
    (theirs / "secrets").symlink_to(theirs.parent)
    with pytest.raises(CertError, match="symbolic link"):
        files.write_secret(theirs / "secrets" / "key", b"secret")


def test_links_that_only_root_can_have_put_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    files.write_secret(tmp_path / "link" / "key", b"secret")
    assert (tmp_path / "real" / "key").read_bytes() == b"secret"


def test_root_reads_the_owners_secrets_but_not_a_third_ones(theirs: Path) -> None:
    files.write_secret(theirs / "key", b"secret")
    assert files.read_secret(theirs / "key") == b"secret"
    os.chown(theirs / "key", ANOTHER, ANOTHER)
    with pytest.raises(CertError, match=f"belongs to user {ANOTHER}"):
        files.read_secret(theirs / "key")
