"""Finding the sites that `mesh export` writes down, and whose names they own."""

from collections.abc import Iterable
from typing import cast

from sitectl.base.failure import conflict, not_found
from sitectl.base.options import Settings
from sitectl.mesh.gathering import gathered
from sitectl.mesh.reach import Reached, is_made, namespace_site, own_hosts, reach, shown_place
from sitectl.mesh.survey import surveyed
from sitectl.mesh.values import Mesh, MeshPlace, MeshRuntime
from sitectl.site.places import site_names, state_dir


def export(settings: Settings, title: str, namespaces: Iterable[str], *, with_host: bool) -> Mesh:
    """The mesh of the sites of this host and of ``namespaces`` (``[CONTEXT/]NAMESPACE``).

    Failure: there is none of them, or one cannot be read.
    """
    found = [
        *_on_host(settings, with_host=with_host),
        *(_in_namespace(settings, place) for place in namespaces),
    ]
    if not found:
        raise not_found(
            f"no site in {state_dir(settings)}, and no --in NAMESPACE", "sitectl init NAME"
        )
    _refuse_namesakes(found)
    surveys = [surveyed(one) for one in found]
    places = {one.name: one.place for one in found}
    return gathered(title, surveys, places, _owners(found))


def _refuse_namesakes(found: Iterable[Reached]) -> None:
    """Raise Failure when two sites have one name: a file could hold only one of them."""
    known: dict[str, Reached] = {}
    for one in found:
        first = known.setdefault(one.name, one)
        if first is not one:
            places = f"{shown_place(first)} and {shown_place(one)}"
            raise conflict(
                f"two sites are called {one.name}: {places}",
                "Write two files: sitectl --site NAME mesh export, then sitectl mesh export --in …",
            )


def _on_host(settings: Settings, *, with_host: bool) -> list[Reached]:
    from sitectl.runtimes.spec_file import read_spec
    from sitectl.site.directory import DirectorySite

    state = state_dir(settings)
    names = site_names(state)
    if settings.site is not None:
        names = [name for name in names if name == settings.site]
        if not names:
            raise not_found(f"no site {settings.site!r} in {state}", "sitectl mesh export")
    found: list[Reached] = []
    for name in names:
        kind = read_spec(DirectorySite(state / name)).kind
        place = MeshPlace(runtime=cast(MeshRuntime, kind), host=own_hosts()[1] if with_host else "")
        found.append(reach(settings, name, place))
    return found


def _in_namespace(settings: Settings, place: str) -> Reached:
    context, _, namespace = place.rpartition("/")
    at = MeshPlace(runtime="kubernetes", namespace=namespace, context=context)
    one = reach(settings, namespace, at)
    if not is_made(one):
        from sitectl.kubernetes.namespaces import no_site

        raise no_site(namespace_site(one).cluster)
    return one._replace(name=namespace_site(one).name)


def _owners(found: Iterable[Reached]) -> dict[str, str]:
    """The ID of the site that owns each service, by the routers that answer."""
    owners: dict[str, str] = {}
    for one in found:
        for item in one.site.told("/api/v1/names") or []:
            if len(item["owners"]) == 1:
                owners.setdefault(item["name"], item["owners"][0])
    return owners
