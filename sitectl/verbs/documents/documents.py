"""`apply` and `get`: documents as they are."""

import sys
from pathlib import Path
from typing import Any

import click

from certs.errors import CertError
from certs.token_files import tokens
from router.documents import KINDS, plain, read, write
from router.documents.gateway import looks_like_gateway
from router.documents.readers import nearest
from router.documents.skupper2.objects import holds_v2
from router.model.specs import Document
from sitectl.base import output, texts
from sitectl.base.failure import not_found, usage
from sitectl.base.options import Settings, completes, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.services.name_ownership import require_in_force
from sitectl.flags.skupper2.texts import v2_texts
from sitectl.runtimes.site_lifecycle import make_site
from sitectl.selection import store
from sitectl.site import places
from sitectl.site.site import Change, Site


@click.command(cls=Verb)
@click.option("-f", "--filename", "file", required=True, metavar="FILE|DIR|-", help="- is stdin.")
@click.option(
    "--prune",
    is_flag=True,
    help="Of a DIR on a host: remove what an earlier apply of it made and it no longer holds.",
)
@dry_run_flag
@click.pass_obj
def apply(settings: Settings, file: str, prune: bool) -> None:
    """Apply the documents in FILE: all of them, or none if one is wrong.

    On Kubernetes, FILE may also hold Skupper's ConfigMaps and Secrets: a site, tokens, token
    requests. Skupper's gateway YAML changes the gateway of its name on this host. Objects of
    Skupper v2 (Site, Listener, Connector, …) become documents; their FILE may be a directory, also
    that of a namespace (of which input/resources is read). An AccessGrant prints the AccessToken to
    apply at the other site. Exit 5: the documents are in force at this site, but other sites use
    another site's declaration of a service.

    \b
    Examples:
      sitectl apply -f services.yaml
      sitectl -n shop apply -f skupper-site.yaml --dry-run
      sitectl apply -f ~/.local/share/skupper/namespaces/default
      sitectl apply -f grant.yaml > token.yaml       at the other site: sitectl apply -f token.yaml
    """
    if prune and (settings.on_kubernetes() or file == "-" or not Path(file).is_dir()):
        raise usage("--prune is for a directory on a host", "Give the DIR that was applied before")
    if _took_v2(settings, file, prune=prune):
        return
    source = "stdin" if file == "-" else file
    text = (
        texts.decoded(sys.stdin.buffer.read(), source) if file == "-" else texts.text_of(Path(file))
    )
    if looks_like_gateway(text):
        from sitectl.verbs.gateways.files import apply_text as apply_gateway

        apply_gateway(settings, text, source)
        return
    if _took_v2(settings, source, text):
        return
    if settings.on_kubernetes():
        from sitectl.kubernetes.apply import apply_text

        apply_text(settings, text, source)
        return
    if settings.dry_run:
        settings.require_kubernetes("--dry-run")
    _apply_documents(settings, text, source)


def _is_token(text: str, source: str) -> bool:
    try:
        tokens.load(text, source)
    except CertError:
        return False
    return True


def _apply_documents(settings: Settings, text: str, source: str) -> None:
    """Documents at a host's site."""
    documents, errors = read(text, source)
    if errors and _is_token(text, source):
        raise usage(
            f"{source} is a token of another site", f"sitectl link create {texts.typed(source)}"
        )
    if errors:
        raise texts.config_failure(errors, f"{len(errors)} errors in {source}, nothing was applied")
    if not documents:
        raise usage(f"no documents in {source}")
    made: list[tuple[Document, Change]] = []
    sites = [document for document in documents if document.kind == "Site"]
    state = places.state_dir(settings)
    for document in sites[:1]:
        if document.name not in places.site_names(state):
            made.append((document, make_site(settings, document)))
        settings.site = settings.site or document.name
    site = store.site_to_change(settings)
    if any(document.name != site.name for document in sites):
        reason = f"the Site in {source} is not site {site.name!r}"
        raise usage(reason, "Apply it with its own --site")
    rest = [document for document in documents if document not in [d for d, _ in made]]
    made += zip(rest, site.put_all(rest), strict=True)
    items = [{"kind": d.kind, "name": d.name, "change": change} for d, change in made]
    output.emit_items(
        settings,
        "Change",
        items,
        lambda: "\n".join(f"{i['kind'].lower()} {i['name']} {i['change']}" for i in items),
    )
    for document, change in made:
        if change != "unchanged":
            require_in_force(settings, site, document.name, [document])


def _took_v2(settings: Settings, file: str, text: str = "", *, prune: bool = False) -> bool:
    """Whether a file, or else ``text`` of it, has objects of Skupper v2, which then are applied."""
    found = v2_texts(file) if not text else [(text, file)] if holds_v2(text) else None
    if found is None:
        return False
    if settings.on_kubernetes():
        from sitectl.kubernetes.apply_v2 import apply_v2

        apply_v2(settings, found)
        return True
    from sitectl.verbs.documents.skupper2_files import apply_texts

    apply_texts(settings, found, None if text else Path(found[0][1]).parent, prune=prune)
    return True


@click.command(cls=Verb)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="KIND [NAME]",
    shell_complete=completes("documents"),
)
@click.pass_obj
def get(settings: Settings, words: tuple[str, ...]) -> None:
    """Print documents; with -o yaml in the form that `apply` takes.

    \b
    Examples:
      sitectl get services
      sitectl get service/shop -o yaml
    """
    site = store.find_site(settings)
    kind_word, name = _kind_and_name(words)
    known = {kind.lower(): kind for kind in KINDS}
    kind = known.get(kind_word.lower()) or known.get(kind_word.lower().removesuffix("s"))
    if kind is None and kind_word != "all":
        raise usage(f"unknown kind {kind_word!r}", nearest(kind_word, [*known, "all"]))
    documents, errors = site.scan()
    for error in errors:
        output.note(f"left out: {error}")
    found = [d for d in documents if kind in (None, d.kind) and name in (None, d.name)]
    if name is not None and not found:
        raise not_found(f"no {kind_word} {name!r} at {site.name}", f"sitectl get {kind_word}")
    _print(settings, site, kind or "Document", name, found)


def _kind_and_name(words: tuple[str, ...]) -> tuple[str, str | None]:
    if len(words) == 1:
        kind, _, name = words[0].partition("/")
        return kind, name or None
    if len(words) == 2:
        return words[0], words[1]
    raise usage("expected KIND [NAME] or KIND/NAME")


def _print(
    settings: Settings, site: Site, kind: str, name: str | None, documents: list[Document]
) -> None:
    if settings.output == "yaml":
        click.echo("---\n".join(map(write, documents)), nl=False)
        return
    items: list[dict[str, Any]] = [plain(document) for document in documents]

    def table() -> str:
        if not documents:
            return (
                f"No {kind.lower()} documents at {site.name}. Make one with the verb for it, or: "
                "sitectl apply -f FILE"
            )
        lines = [(d.kind, d.name, f"{d.source}:{d.line}") for d in documents]
        return output.rows(("KIND", "NAME", "FILE"), lines)

    if name is not None:
        output.emit_item(settings, kind, items[0], table)
    else:
        output.emit_items(settings, kind, items, table)
