"""A bundle unpacked on a host that is made of stubs: coreutils, and an engine that only notes."""

import os
import shutil
import subprocess
from pathlib import Path

ENGINE = """\
#!/bin/sh
# Plays podman and docker: one container, one image, kept in $STUB; every call is noted.
printf '%s\\n' "$*" >>"$STUB/calls"
case "$1 ${2:-}" in
"--version "*) echo "podman version 4.3.1" ;;
"info "*) echo "[]" ;;
"container inspect")
    [ -f "$STUB/words" ] || exit 1
    case "$4" in
    *directory*) key=io.spillway.directory ;;
    *plan*) key=io.spillway.plan ;;
    *Health*) echo healthy; exit 0 ;;
    *Running*) if [ -f "$STUB/stopped" ]; then echo false; else echo true; fi; exit 0 ;;
    *) exit 0 ;;
    esac
    while IFS= read -r word; do
        case $word in "--label=$key="*) printf '%s\\n' "${word#--label=$key=}" ;; esac
    done <"$STUB/words"
    ;;
"image inspect") if [ -f "$STUB/image" ]; then cat "$STUB/image"; else exit 1; fi ;;
"image rm") rm -f "$STUB/image" ;;
"load --input") cat "$STUB/loads" >"$STUB/image" ;;
"pull "*) echo "no network" >&2; exit 125 ;;
"run "*) printf '%s\\n' "$@" >"$STUB/words" ;;
"start "*) rm -f "$STUB/stopped" ;;
"rm "*) rm -f "$STUB/words" ;;
"healthcheck run") [ -f "$STUB/words" ] ;;
*) echo "stub: $*" >&2; exit 99 ;;
esac
"""
NOTES = '#!/bin/sh\nprintf "%s\\n" "${0##*/} $*" >>"$STUB/calls"\n'


class Host:
    """A host: the programs on its PATH, a home with a space in it, an unpacked bundle."""

    def __init__(self, base: Path, bundle: Path, shell: str) -> None:
        self.home = base / "a home"
        self.stub, self.bin, self.here = base / "stub", base / "bin", base / "un packed"
        for folder in (self.home, self.stub, self.bin, self.here):
            folder.mkdir()
        for name in (
            *("cat", "chmod", "chown", "cut", "date", "dirname", "id", "mkdir", "mv", "rm"),
            *("rmdir", "sha256sum", "sleep", "stat"),
        ):
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        self.program("podman", ENGINE)
        (self.stub / "image").write_text("0123\n")
        self.shell = shell
        self.user: int | None = None
        self.unpack(bundle)

    def give_to(self, user: int) -> None:
        """Have all of it belong to another user, who types from now on. Root's to call."""
        for folder, _, files in os.walk(self.home.parent):
            for name in ("", *files):
                os.chown(Path(folder, name), user, user, follow_symlinks=False)
        self.user = user

    def unpack(self, bundle: Path) -> None:
        """Put a bundle in the place of the one before."""
        shutil.rmtree(self.here)
        self.here.mkdir()
        subprocess.run(["tar", "-xf", bundle, "-C", self.here], check=True)

    def program(self, name: str, text: str = NOTES) -> None:
        """Put a program onto the PATH."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the bundle in an environment that has nothing else."""
        environment = {
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "STUB": str(self.stub),
            **more,
        }
        return subprocess.run(
            [self.shell, *words],
            cwd=self.here,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            umask=0,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
        )

    def launch(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Launch as podman's unless said otherwise."""
        return self.run("./launch.sh", *(words or ("-t", "podman")), **more)

    @property
    def directory(self) -> Path:
        """The state of the gateway."""
        return self.home / "data" / "spillway" / "gateways.d" / "db-host"

    def calls(self) -> list[str]:
        """The calls of engines and other stubs, in order. Clears the list."""
        path = self.stub / "calls"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def words(self) -> list[str]:
        """The words of the container's command line."""
        return (self.stub / "words").read_text().splitlines()

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Every file of the state: inode, mode, contents."""
        found = {}
        for folder, _, files in os.walk(self.directory):
            for name in files:
                path = Path(folder, name)
                status = path.stat()
                key = str(path.relative_to(self.directory))
                found[key] = (status.st_ino, status.st_mode & 0o777, path.read_bytes())
        return found
