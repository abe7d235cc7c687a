"""The changes that a mesh file would make, at every site in reach."""

import time
from typing import NamedTuple

from sitectl.base.options import Settings
from sitectl.base.parallel import in_parallel
from sitectl.mesh.changes import MeshChange, SiteSurvey, changes_at, faults_at, unclaimed_links
from sitectl.mesh.reach import Reached, out_of_reach, reached
from sitectl.mesh.survey import surveyed
from sitectl.mesh.values import Mesh


class SitePlan(NamedTuple):
    """One site, its state, and the differences."""

    reached: Reached
    survey: SiteSurvey
    changes: list[MeshChange]


class MeshPlan(NamedTuple):
    """All sites in reach, and the names of the others. ``ids``: site IDs by name, as found."""

    sites: list[SitePlan]
    others: list[str]
    ids: dict[str, str]

    @property
    def changes(self) -> list[MeshChange]:
        """Those of every site."""
        return [change for one in self.sites for change in one.changes]

    @property
    def by_name(self) -> dict[str, SitePlan]:
        """The sites in reach."""
        return {one.reached.name: one for one in self.sites}


def planned(
    settings: Settings, mesh: Mesh, *, prune: bool = False, with_faults: bool = False
) -> MeshPlan:
    """Look at every site in reach; nothing is changed. ``with_faults``: links that are down too."""
    found = reached(settings, mesh)
    surveys = in_parallel(surveyed, found)
    ids = {name: site.id for name, site in mesh.sites.items() if site.id}
    ids |= {survey.name: survey.id for survey in surveys if survey.id}
    by_name = {survey.name: survey for survey in surveys}
    sites: list[SitePlan] = []
    for one, survey in zip(found, surveys, strict=True):
        unclaimed = unclaimed_links(mesh, survey, by_name, time.time())
        changes = changes_at(mesh, survey, ids, prune=prune, unclaimed=unclaimed)
        if with_faults:
            changes += faults_at(mesh, survey)
        sites.append(SitePlan(one, survey, changes))
    return MeshPlan(sites, out_of_reach(mesh, found), ids)
