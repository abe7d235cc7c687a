"""Law: a bundle's text with its marks replaced is what sitectl renders on that host itself."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sitectl.gateway.contents import DIRECTORY_MARK, OWNER_MARK, PLAN_MARK, container_files
from sitectl.runtimes.container import MOUNTABLE, Container, Engine, direct_words
from sitectl.runtimes.quadlet import quadlet_text, unit_text
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


def container(directory: str, *, user: str, limits: bool, timers: bool) -> Container:
    return Container(
        name="spillway-gateway-g",
        site="g",
        directory=directory,
        image="localhost/router:1",
        user=user,
        limits=limits,
        timers=timers,
    )


def replaced(text: str, directory: str, owner: str, plan: str) -> str:
    """As launch.sh does it."""
    uid, gid = owner.split(":")
    marks = dict(zip(OWNER_MARK.split(":"), (uid, gid), strict=True))
    for mark, value in {DIRECTORY_MARK: directory, PLAN_MARK: plan, **marks}.items():
        text = text.replace(mark, value)
    return text


@settings(deadline=None)
@given(directory=DIRECTORIES)
def test_the_words_are_those_of_this_host(directory: str) -> None:
    files = container_files(container("/x", user="", limits=True, timers=True))
    engines: tuple[tuple[str, str, Engine], ...] = (
        ("run-podman-user", "", "podman"),
        ("run-podman-system", "7:8", "podman"),
        ("run-docker", "7:8", "docker"),
    )
    for name, user, engine in engines:
        text = replaced(files[f"container/{name}.words"], directory, "7:8", "abc")
        full = name != "run-podman-user"
        here = container(directory, user=user, limits=full, timers=engine == "docker")
        expected = direct_words(here, engine, "abc")
        assert text.split("\n")[:-1] == expected


@settings(deadline=None)
@given(parent=DIRECTORIES, name=PARTS)
def test_units_are_those_of_this_host(parent: str, name: str) -> None:
    directory = f"{parent} of/{name}"  # A space: quoted here too. Without one it is the same value.
    if not MOUNTABLE.fullmatch(directory):
        return
    files = container_files(container("/x", user="", limits=True, timers=True))
    user = container(directory, user="", limits=True, timers=True)
    system = container(directory, user="7:8", limits=True, timers=True)
    scopes: tuple[tuple[Scope, Container], ...] = (("user", user), ("system", system))
    for scope, here in scopes:
        text = replaced(files[f"container/quadlet-{scope}.container"], directory, "7:8", "")
        assert text == quadlet_text(here, scope)
        text = replaced(files[f"container/unit-{scope}-unified.service"], directory, "7:8", "")
        text = text.replace("@PODMAN@", "/usr/bin/podman")
        assert text == unit_text(here, scope, "/usr/bin/podman", unified=True)
