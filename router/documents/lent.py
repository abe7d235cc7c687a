"""How much of its slots a site lends to clients of other sites, by its Policies. Pure."""

from router.documents import capacities, drained
from router.documents.wanted import Wanted
from router.model.capacity import LendingTerms
from router.model.rights.sharing import ALL
from router.model.specs import SitePolicySpec

NO_LIMIT = LendingTerms()


def terms_of(
    service: str, policies: dict[str, SitePolicySpec], capped_before: int = 0
) -> LendingTerms:
    """The larger reserve and the smaller share of the Policies that apply. ``policies``: by
    service.

    ``capped_before`` as in `LendingTerms`.
    """
    named = [one for one in (policies.get(service), policies.get(ALL)) if one is not None]
    reserve = max([0.0, *(one.reserve_for_own for one in named)])
    share = min([1.0, *(one.max_share for one in named)])
    if not reserve and share >= 1:
        return NO_LIMIT
    return LendingTerms(reserve_for_own=reserve, max_share=share, capped_before=capped_before)


def caps_of(wanted: Wanted) -> dict[str, tuple[int, bool]]:
    """The slots of the site's cap by service, and whether a drain set that cap."""
    stated = {
        spec.service: (slots, False)
        for spec in wanted.policies.values()
        if (slots := capacities.of_spec(spec.site_capacity).slots) is not None
    }
    return stated | {service: (slots, True) for service, slots in drained.slots(wanted).items()}
