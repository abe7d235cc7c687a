"""The rules of one site about a service that any site may declare: its Policy document."""

from collections.abc import Sequence

from router.model.rights.sharing import ALL
from router.model.specs import Document, SitePolicySpec
from sitectl.base import output
from sitectl.base.options import Settings
from sitectl.flags.services.bindings import is_declared
from sitectl.flags.services.capacity import CapChange, policy_of_service
from sitectl.flags.services.lending import lending_text
from sitectl.flags.services.names import require_name
from sitectl.flags.services.sharing import sharing_text
from sitectl.site.site import Change, Site


def set_rules(settings: Settings, site: Site, name: str, rules: CapChange) -> None:
    """Write or remove the rules of this site about a service, which any site may declare."""
    if name != ALL:
        require_name(name)
    is_known = not rules.put or name == ALL or is_declared(site, name)  # Before a rule hides it.
    told = rules_text(site, name, rules)
    change = put_rules(site, name, rules)
    whose = "all services" if name == ALL else f"service {name}"
    text = f"{whose}: {site.name} {told}" + (
        "" if is_known else ", once a declaration of it counts here"
    )
    unchanged = ", unchanged" if change == "unchanged" else ""
    output.report(settings, "Policy", name, change, text + unchanged)


def put_rules(site: Site, name: str, rules: CapChange, beside: Sequence[Document] = ()) -> Change:
    """Write them, with documents ``beside`` them. Failure: where they go cannot be read."""
    site.require_readable("Policy", rules.put[0].name if rules.put else name)
    changes = set(site.put_all([*rules.put, *beside]))
    if site.delete_all(rules.gone):
        changes.add("deleted")
    changes = changes or {"unchanged"}
    return changes.pop() if len(changes) == 1 else "updated"


def rules_text(site: Site, name: str, rules: CapChange) -> str:
    """The changes by ``rules``, which are not written yet; the text follows the site's name."""
    unset = SitePolicySpec(service=name)
    known = policy_of_service(site, name)
    before = unset if known is None else known.spec
    after = rules.put[0].spec if rules.put else unset
    assert isinstance(before, SitePolicySpec) and isinstance(after, SitePolicySpec)
    return _rules_text(before, after)


def _rules_text(before: SitePolicySpec, after: SitePolicySpec) -> str:
    """Which rules are gone, and which stand."""
    gone = (
        ("takes what its targets take", before.site_capacity, after.site_capacity),
        ("exports it to all sites", before.export_to, after.export_to),
        ("takes it from all sites", before.import_from, after.import_from),
    )
    told = [text for text, was, stands in gone if was is not None and stands is None]
    if after.site_capacity is not None:
        told.append(f"takes {_taken_text(after)}")
    told += lending_text(before, after)
    return ", ".join((*told, *sharing_text(after))) or "has no rule for it"


def _taken_text(spec: SitePolicySpec) -> str:
    stated = str(spec.site_capacity).replace(",", " at once and ")
    if "/s" not in stated:
        return f"{stated} at once"
    what = "every new request spills" if spec.spill == "all" else "the excess spills"
    below = spec.resume or "two thirds of it"
    return f"{stated}; above it {what}, until demand is below {below}"
