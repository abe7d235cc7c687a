"""The product's image, built by the real Dockerfile on a base made from this machine's Python.

The base has the parts that the Dockerfile needs: Python with its standard library, glibc, a shell
and the usual small programs. Each result is cached by the hash of its sources.
"""

import compileall
import contextlib
import hashlib
import json
import os
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.podman.engine import CACHE, EngineRefused, podman

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/spillway-test-base"
PRODUCT = "localhost/spillway-test-router"
PROGRAMS = (
    *("sh", "cat", "chgrp", "chmod", "chown", "cp", "date", "dirname", "env", "find", "head"),
    *("id", "ln", "ls", "mkdir", "mv", "rm", "sleep", "sort", "tail", "touch", "true", "uname"),
)
GLIBC = (
    *("libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "librt.so.1"),
    *("libutil.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libnss_files.so.2", "libnss_dns.so.2"),
)
"""What wheels expect of any Linux (manylinux), and what glibc loads by name."""
LEFT_OUT = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages")
CONTEXT = (
    "Dockerfile",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "THIRD_PARTY.md",
    "deploy/image",
    "router",
    "simulator",
    "sitectl",
    "certs",
)
_LINKED = re.compile(r"(?:=> )?(/\S+) \(0x")
DEBIANS_PYTHON = "3.11"
PIP_TIMEOUT_S = 300.0
KEPT_S = 86_400.0


def rootfs() -> Path:
    """A directory with Python and a shell that can be a root file system, made once."""
    python = Path(os.path.realpath(sys.executable))
    key = _digest([sys.version, platform.machine(), str(python), Path(__file__).read_text()])
    place = CACHE / f"rootfs-{key}"
    if place.exists():
        return place
    making = CACHE / f"rootfs-{key}.making-{os.getpid()}"
    for folder in ("usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc", "tmp", "var", "proc"):
        (making / folder).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (making / name).symlink_to(f"usr/{name}")
    (making / "tmp").chmod(0o1777)
    for program in PROGRAMS:
        found = shutil.which(program)
        assert found is not None, f"this machine has no {program}"
        _copy_program(Path(os.path.realpath(found)), making / "usr/bin" / program, making)
    _copy_python(python, making)
    (making / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (making / "etc/group").write_text("root:x:0:\n")
    (making / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    making.rename(place)
    return place


def base_image() -> str:
    """The rootfs as an image of podman's."""
    place = rootfs()
    name = f"{BASE}:{place.name.removeprefix('rootfs-')}"
    if not has_image(name):
        tar = subprocess.Popen(["tar", "-C", str(place), "-c", "."], stdout=subprocess.PIPE)
        words = ["podman", "import", "--quiet", "-", name]
        done = subprocess.run(words, stdin=tar.stdout, capture_output=True, text=True, check=False)
        assert tar.stdout is not None
        tar.stdout.close()
        if tar.wait() or done.returncode:
            raise EngineRefused(f"podman import: {done.stderr}")
    return name


def debian_base() -> str:
    """A base of both architectures, as `make base` makes it; its Python is that of Debian 12."""
    script = ROOT / "scripts" / "base"
    name = f"{BASE}:debian-{_digest([script.read_text()])}"
    if not has_image(name):
        environment = {**os.environ, "NAME": name}
        mirror = os.environ.get("SPILLWAY_TEST_MIRROR")
        if mirror:
            environment["MIRROR"] = mirror
        subprocess.run([str(script)], env=environment, check=True, timeout=2 * PIP_TIMEOUT_S)
    return name


def product_image() -> str:
    """This tree's image, by its Dockerfile, without a network: its wheels are fetched before."""
    forget_old()  # First: the base may be old, too, and is made again then.
    base = base_image()
    key = _digest([base, *_hashed_tree()])
    name = f"{PRODUCT}:{key}"
    if not has_image(name):
        context = CACHE / f"context-{key}-{os.getpid()}"
        try:
            _make_context(context)
            podman(
                *("build", "--quiet", "--pull=never", "--network=none", "--format=docker"),
                "--layers=false",  # Leaves no image of the build stage behind.
                *(f"--build-arg=BASE={base}", f"--tag={name}", str(context)),
            )
        finally:
            shutil.rmtree(context, ignore_errors=True)
    return name


def forget_old() -> None:
    """Remove files and images of earlier trees, a day after they were last made."""
    limit = time.time() - KEPT_S
    for kind in ("rootfs", "wheels", "context", "code", "image"):
        for path in CACHE.glob(f"{kind}-*"):
            if path.lstat().st_mtime < limit:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for found in json.loads(podman("images", "--format=json")):
        ours = [name for name in found.get("Names") or () if name.startswith((BASE, PRODUCT))]
        if ours and int(found["Created"]) < limit:
            with contextlib.suppress(EngineRefused):  # A container still uses it.
                podman("image", "rm", *ours)


def archive(image: str) -> Path:
    """The image as a file that others may load."""
    path = CACHE / f"image-{image.rpartition(':')[2]}.tar"
    if not path.exists():
        podman("save", "--quiet", "--output", str(path), image)
        path.chmod(0o644)
    return path


def has_image(name: str) -> bool:
    """Whether podman has it."""
    return subprocess.run(["podman", "image", "exists", name], check=False).returncode == 0


def wheels() -> Path:
    """What the Dockerfile installs, checked against the lock file's hashes."""
    lists = [ROOT / "deploy/image" / f"{name}.txt" for name in ("requirements", "build")]
    key = _digest([sys.version, *(path.read_text() for path in lists)])
    place = CACHE / f"wheels-{key}"
    if not place.exists():
        making = CACHE / f"wheels-{key}.making-{os.getpid()}"
        making.mkdir(parents=True)
        for path in lists:
            command = [sys.executable, "-m", "pip", "download", "--quiet"]
            command += ["--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"]
            command += ["--dest", str(making), "--requirement", str(path)]
            subprocess.run(command, check=True, timeout=PIP_TIMEOUT_S)
        making.rename(place)
    return place


def release_wheels() -> Path:
    """Those of a release: for both architectures, for Debian's Python and this one."""
    lists = [ROOT / "deploy/image" / f"{name}.txt" for name in ("requirements", "build")]
    pythons = sorted({DEBIANS_PYTHON, f"3.{sys.version_info.minor}"})
    key = _digest([*pythons, *(path.read_text() for path in lists)])
    place = CACHE / f"wheels-{key}"
    if not place.exists():
        making = CACHE / f"wheels-{key}.making-{os.getpid()}"
        command = [str(ROOT / "scripts" / "wheels"), sys.executable, str(making), *pythons]
        subprocess.run(command, check=True, timeout=2 * PIP_TIMEOUT_S)
        making.rename(place)
    return place


def _make_context(context: Path) -> None:
    for name in CONTEXT:
        source, target = ROOT / name, context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy2(source, target)
    shutil.copytree(wheels(), context / "wheels")


def _hashed_tree() -> Iterator[str]:
    for name in CONTEXT:
        paths = [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*"))
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _copy_python(python: Path, root: Path) -> None:
    """The interpreter with its library at the places where it looks for them."""
    library = Path(sysconfig.get_path("stdlib"))
    _copy_program(python, root / python.relative_to("/"), root)
    target = root / library.relative_to("/")
    ignored = shutil.ignore_patterns("__pycache__", "*.a", "*.o", *LEFT_OUT)
    shutil.copytree(library, target, ignore=ignored, symlinks=True, dirs_exist_ok=True)
    # As distributions have it: nothing in a container may write byte code.
    compileall.compile_dir(
        target,
        quiet=1,
        workers=0,
        stripdir=str(root),
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    for name in GLIBC:
        for folder in (f"/lib/{platform.machine()}-linux-gnu", "/lib64", "/usr/lib"):
            if Path(folder, name).exists():
                _copy_library(Path(folder, name), root)
    for found in sorted(library.glob("lib-dynload/*.so")):
        _copy_libraries(found, root)
    link = root / "usr/bin/python3"
    if not link.exists():
        link.symlink_to(python)


def _copy_program(source: Path, target: Path, root: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    _copy_libraries(source, root)


def _copy_libraries(binary: Path, root: Path) -> None:
    """What ``binary`` is linked with, at the places where the loader looks."""
    said = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
    for line in said.stdout.splitlines():
        found = _LINKED.search(line)
        if found is None:
            continue
        _copy_library(Path(found[1]), root)


def _copy_library(library: Path, root: Path) -> None:
    folder = Path(os.path.realpath(library.parent))
    target = root / folder.relative_to("/") / library.name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, target)
