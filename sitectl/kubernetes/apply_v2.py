"""`apply` of Skupper v2's YAML in a namespace, with or without v2's kinds in the cluster.

The objects become documents in ConfigMaps of ours; nothing asks whether the cluster knows the
kinds, so no right on them is needed.
"""

from typing import Any

from certs.token_files import tokens
from router.documents.skupper2 import SiteRequest, TokenRequest
from router.kubernetes.objects import names
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.picture import SiteOptions
from sitectl.base import output
from sitectl.base.failure import Failure, not_found, usage
from sitectl.base.options import Settings
from sitectl.flags.skupper2.links import WantedClaims, token_of
from sitectl.flags.skupper2.texts import translated
from sitectl.kubernetes.apply import judge_object, put_and_tell
from sitectl.kubernetes.site import KubernetesSite


def apply_v2(settings: Settings, found: list[tuple[str, str]]) -> None:
    """Make the objects of all texts so: all of them, or nothing when something is wrong."""
    result = translated(found, "namespace")
    site = KubernetesSite.of(settings)
    options = site.reading.picture.options
    if options is None:
        raise _no_site(site.namespace, result.site)
    if result.site is not None:
        _compare(site.namespace, options, result.site)
    stated = {one.namespace for one in result.others} | {
        str(one.whole.get("metadata", {}).get("namespace", "")) for one in result.others
    }
    stated.add(result.namespace)
    if others := stated - {"", site.namespace}:
        raise usage(
            f"the file is for namespace {min(others)}, this is {site.namespace}",
            f"Add -n {min(others)}",
        )
    secrets = [_token_secret(one) for one in result.tokens]
    objects = [dict(one.whole) for one in result.others if one.kind in ("ConfigMap", "Secret")]
    for one in (*objects, *secrets):
        judge_object(one, site.namespace, found[0][1])
    objects += map(_with_cost, secrets, (one.cost for one in result.tokens))
    claims = WantedClaims(site, result.grants)
    left_out = [f"{o.kind}/{o.name}" for o in result.others if o.kind not in KINDS]
    if left_out:
        output.note(f"not Skupper's, and left out: {', '.join(sorted(left_out))}")
    put_and_tell(settings, site, objects, list(result.documents), claims)


def _no_site(namespace: str, request: SiteRequest | None) -> Failure:
    """The next step: the command that makes the site that the file asks for."""
    words = ["init", request.name if request is not None else "NAME"]
    if request is not None:
        words += ["--ingress", request.ingress]
        words += ["--router-mode", "edge"] if request.edge else []
        words += ["--routers", str(request.routers)] if request.routers > 1 else []
    return not_found(
        f"namespace {namespace} has no site yet, and nothing was applied",
        f"sitectl -n {namespace} {' '.join(words)}, then apply the file again",
        code="no-site",
    )


def _compare(namespace: str, options: SiteOptions, request: SiteRequest) -> None:
    """Refuse another site, and say what of this one differs: options are not changed by a file."""
    if options.name != request.name:
        raise usage(
            f"the file is of site {request.name!r}, this is {options.name!r}",
            f"Rename the Site in the file, or apply it in another namespace than {namespace}",
        )
    mode = "edge" if request.edge else "interior"
    pairs = (
        ("--ingress", request.ingress, options.ingress),
        ("--router-mode", mode, options.router_mode),
        ("--routers", str(request.routers), str(options.routers)),
    )
    for flag, wanted, now in pairs:
        if wanted != now:
            output.note(
                f"Site {request.name} asks for {flag} {wanted}, the site has {now}: "
                f"sitectl update {flag} {wanted}"
            )


def _token_secret(request: TokenRequest) -> dict[str, Any]:
    """The token, as it left its site, under the name of its Link, which becomes the link's."""
    found = tokens.as_secret(token_of(request)) if request.url else dict(request.secret)
    metadata = dict(found.get("metadata") or {})
    noted = dict(metadata.get("annotations") or {})
    if request.proxy_secret:
        noted[names.LINK_PROXY_SECRET] = request.proxy_secret
    metadata |= {"name": request.name, "annotations": noted}
    metadata.pop("namespace", None)
    return {**found, "metadata": metadata}


def _with_cost(secret: dict[str, Any], cost: int | None) -> dict[str, Any]:
    """The Secret of a token as that of a link of this cost; None: the token's own."""
    if cost is None:
        return secret
    noted = dict(secret["metadata"]["annotations"])
    if tokens.COST in noted:
        noted.setdefault(tokens.ISSUED_COST, str(noted[tokens.COST]))
    noted[tokens.COST] = str(cost)
    return {**secret, "metadata": {**secret["metadata"], "annotations": noted}}
