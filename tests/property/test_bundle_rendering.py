"""Law: a bundle's text with its marks replaced is what sitectl renders on that host itself."""

from hypothesis import assume, example, given
from hypothesis import strategies as st

from sitectl.gateway.bundle.contents import (
    DIRECTORY_MARK,
    OWNER_MARK,
    PLAN_MARK,
    PODMAN_MARK,
    container_files,
)
from sitectl.runtimes.containers.quadlet import quadlet_text, unit_text
from sitectl.runtimes.containers.words import MOUNTABLE, PLAN_LABEL, Container, Engine, direct_words
from sitectl.runtimes.spec import Scope

PARTS = st.text(
    st.characters(codec="utf-8", exclude_characters="/", exclude_categories=("C", "Z")),
    min_size=1,
    max_size=8,
)
DIRECTORIES = (
    st.lists(PARTS, min_size=1, max_size=4)
    .map(lambda parts: "/" + "/".join(parts))
    .filter(lambda path: MOUNTABLE.fullmatch(path) is not None)
)


OWNER = "7:8"


def container(directory: str, *, keep_id: bool, limits: bool, timers: bool) -> Container:
    return Container(
        name="spillway-gateway-g",
        site="g",
        directory=directory,
        image="localhost/router:1",
        user=OWNER,
        keep_id=keep_id,
        limits=limits,
        timers=timers,
    )


def replaced(text: str, directory: str) -> str:
    """As launch.sh does it."""
    marks = dict(zip(OWNER_MARK.split(":"), OWNER.split(":"), strict=True))
    marks |= {PODMAN_MARK: "/usr/bin/podman", DIRECTORY_MARK: directory}
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


def labelled(words: list[str]) -> list[str]:
    """As launch.sh does it, once it knows the words."""
    return [
        word.replace(PLAN_MARK, "abc") if word.startswith(f"--label={PLAN_LABEL}=") else word
        for word in words
    ]


def bundled() -> dict[str, str]:
    return container_files(container("/x", keep_id=False, limits=True, timers=True))


@given(directory=DIRECTORIES)
@example("/@PLAN@/@PODMAN@")
def test_the_words_are_those_of_this_host(directory: str) -> None:
    engines: tuple[tuple[str, Engine], ...] = (
        ("run-podman-user", "podman"),
        ("run-podman-system", "podman"),
        ("run-docker", "docker"),
    )
    for name, engine in engines:
        text = replaced(bundled()[f"container/{name}.words"], directory)
        is_users = name == "run-podman-user"
        here = container(
            directory, keep_id=is_users, limits=not is_users, timers=engine == "docker"
        )
        assert labelled(text.split("\n")[:-1]) == direct_words(here, engine, "abc")


@given(parent=DIRECTORIES, name=PARTS)
def test_units_are_those_of_this_host(parent: str, name: str) -> None:
    directory = f"{parent} of/{name}"  # A space: quoted here too. Without one it is the same value.
    assume(MOUNTABLE.fullmatch(directory) is not None)
    scopes: tuple[Scope, ...] = ("user", "system")
    for scope in scopes:
        here = container(directory, keep_id=scope == "user", limits=True, timers=True)
        text = replaced(bundled()[f"container/quadlet-{scope}.container"], directory)
        assert text == quadlet_text(here, scope)
        text = replaced(bundled()[f"container/unit-{scope}-unified.service"], directory)
        assert text == unit_text(here, scope, "/usr/bin/podman", unified=True)
