"""TLS credentials of services, from Secrets of the layout ``kubernetes.io/tls``.

Two kinds of Secrets are read: those that a document of this namespace names, each by a separate
watch, and those labeled ``spillway.dev/type: tls`` here. A name that only another site's service
uses opens no Secret. A deleted credential stays in use until it expires, as with files.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from certs.errors import CertError
from certs.tls.service_tls import CA_FILE, CERTIFICATE_FILE, KEY_FILE, Contents, TlsStore
from router.documents import Wanted
from router.kubernetes.client.api import Api
from router.kubernetes.codecs import service_tls as codec
from router.kubernetes.codecs.secrets import SecretError, is_type
from router.kubernetes.objects.names import (
    CONNECTION_TOKEN,
    CONNECTION_TOKEN_REQUEST,
    SKUPPER_TYPE,
    TOKEN_CLAIM,
    TYPE_LABEL,
)
from router.kubernetes.objects.objects import Object, labels
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.selections import Selection, whole
from router.kubernetes.store.supervise import run_supervised
from router.kubernetes.trust.trust_calls import SECRET, refusal
from router.model import limits
from router.model.errors import ConfigError
from router.model.wording.system_errors import text_of

CODE: Final = "SW0444"
TOKEN_TYPES: Final = frozenset((CONNECTION_TOKEN, TOKEN_CLAIM, CONNECTION_TOKEN_REQUEST))


class Named(msgspec.Struct, frozen=True):
    """Documents of this namespace that name one credential, one of each kind; empty: none does.

    ``showing``: clients see its certificate.
    ``judging``: a Connector whose targets are judged by its CA.
    ``demanding``: a Listener whose clients are judged by its CA.
    """

    showing: str = ""
    judging: str = ""
    demanding: str = ""

    @property
    def who(self) -> str:
        """One of the documents."""
        return self.showing or self.judging or self.demanding


def named(wanted: Wanted) -> dict[str, Named]:
    """The credentials that documents of this namespace name."""
    showing: dict[str, str] = {}
    judging: dict[str, str] = {}
    demanding: dict[str, str] = {}
    for name, connector in wanted.connectors.items():
        if connector.tls_trust:
            judging.setdefault(connector.tls_trust, f"Connector {name}")
    for name, service in wanted.services.items():
        if service.tls_cert:
            showing[service.tls_cert] = f"Service {name}"
    for name, listener in wanted.listeners.items():
        if listener.tls_cert:
            showing[listener.tls_cert] = f"Listener {name}"
        if listener.tls_client_trust:
            demanding[listener.tls_client_trust] = f"Listener {name}"
    return {
        name: Named(showing.get(name, ""), judging.get(name, ""), demanding.get(name, ""))
        for name in showing.keys() | judging.keys() | demanding.keys()
    }


class TlsSecrets:
    """Owns ``secrets/tls`` of the site directory. ``tasks`` runs its watches."""

    def __init__(
        self,
        api: Api,
        directory: Path,
        tasks: asyncio.TaskGroup,
        rng: random.Random,
        changed: Callable[[], None],
    ) -> None:
        """``changed`` is called when `errors` may have changed."""
        self._api = api
        self._store = TlsStore(directory)
        self._tasks = tasks
        self._rng = rng
        self._changed = changed
        self._named: Mapping[str, Named] = {}
        self._watched: dict[str, tuple[Informer, asyncio.Task[None]]] = {}
        self._awaited: set[str] = set()
        self._errors: dict[str, ConfigError] = {}

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """Secrets that are missing or incomplete."""
        return tuple(self._errors[name] for name in sorted(self._errors))

    @property
    def is_settled(self) -> bool:
        """Whether each named Secret was looked up once, or is awaited no longer."""
        return not self._awaited

    def await_no_longer(self) -> None:
        """The API server is slow: count the Secrets that it has not shown yet as looked up."""
        self._awaited.clear()

    def look(self, named: Mapping[str, Named], secrets: Mapping[str, Object]) -> None:
        """Follow the credentials.

        ``named``: the result of function `named`; ``secrets``: those with a type of ours.
        """
        self._named = named
        self._errors = {}
        labelled = {name: found for name, found in secrets.items() if is_type(found, "tls")}
        for name, found in labelled.items():
            self._take(name, found)
        apart = sorted(named.keys() - labelled.keys())
        watched = apart[: limits.TLS_WATCHES_MAX]
        for name in self._watched.keys() - watched:
            self._watched.pop(name)[1].cancel()
            self._awaited.discard(name)
        for name in watched:
            if name in self._watched:
                self._seen(name)
            else:
                self._watch(name)
        for name in apart[limits.TLS_WATCHES_MAX :]:
            self._errors[name] = self._error(
                name,
                f"metadata.labels[{TYPE_LABEL}]",
                f"is not read: documents name more than {limits.TLS_WATCHES_MAX} Secrets",
                f"Label all of them: kubectl label secret {name} {TYPE_LABEL}=tls",
            )

    def note_rights(self) -> None:
        """Rights in the namespace came back: ask for each Secret that could not be read."""
        for informer, _ in self._watched.values():
            informer.note_rights()

    def _watch(self, name: str) -> None:
        selection = Selection(kind=SECRET, fields=f"metadata.name={name}", keep=whole)
        informer = Informer(self._api, selection, lambda _: self._heard(name), self._rng)
        self._awaited.add(name)
        self._watched[name] = (
            informer,
            self._tasks.create_task(run_supervised(informer, f"the watch of {SECRET}/{name}")),
        )

    def _heard(self, name: str) -> None:
        if name in self._watched:
            if self._watched[name][0].settled:
                self._awaited.discard(name)
            self._seen(name)
            self._changed()

    def _seen(self, name: str) -> None:
        informer = self._watched[name][0]
        found = informer.copy().get(name)
        if found is not None:
            self._take(name, found)
        elif informer.refused is not None:
            doing = f"read the credential of {self._who(name)}"
            self._errors[name] = refusal(informer.refused, f"{SECRET}/{name}", doing)
        elif informer.listed:
            self._errors[name] = self._error(
                name,
                "",
                f"{self._who(name)} names it as its TLS credential, and it does not exist",
                f"Make it: kubectl create secret tls {name} --cert FILE --key FILE"
                if self._named[name].showing
                else f"Make it: kubectl create secret generic {name} --from-file {CA_FILE}=FILE",
            )

    def _take(self, name: str, found: Object) -> None:
        """Copy the Secret; ``trust.service_tls`` reads and judges the copies each second."""
        try:
            contents = codec.decode(name, found, CODE)
            if _is_of_links(found):
                raise self._error(
                    name,
                    "metadata.labels",
                    f"{self._who(name)} names it as its TLS credential, and it belongs to the "
                    "links of this site",
                    "Name a Secret of the service's own: kubectl create secret tls",
                )
            if not contents.ca and not (contents.certificate and contents.key):
                raise self._error(
                    name,
                    "data",
                    f"{self._who(name)} needs tls.crt with tls.key, or ca.crt, in it",
                    "Fill it, for example with: sitectl tls, or cert-manager",
                )
            self._store.write(name, contents)
            self._require_parts(name, contents)
        except ConfigError as error:
            self._errors[name] = error
        except SecretError as error:
            self._errors[name] = error.finding
        except (CertError, OSError) as error:
            hint = error.hint if isinstance(error, CertError) else "Free some space"
            self._errors[name] = self._error(name, "", f"cannot be copied: {text_of(error)}", hint)
        else:
            self._errors.pop(name, None)

    def _require_parts(self, name: str, contents: Contents) -> None:
        """Check that the Secret has all parts that documents need."""
        named = self._named.get(name, Named())
        for who, file, data, what in (
            (named.showing, CERTIFICATE_FILE, contents.certificate, "shows the certificate in it"),
            (named.showing, KEY_FILE, contents.key, "shows the certificate in it"),
            (named.judging, CA_FILE, contents.ca, "judges its targets by the CA in it"),
            (named.demanding, CA_FILE, contents.ca, "demands certificates of its clients"),
        ):
            if who and not data:
                raise self._error(
                    name,
                    f"data[{file}]",
                    f"{who} {what}, and {file} is missing",
                    f"Put its PEM into the Secret: kubectl edit secret {name}, as stringData: "
                    f"{{{file}: …}}",
                )

    def _who(self, name: str) -> str:
        return self._named[name].who if name in self._named else "a service"

    @staticmethod
    def _error(name: str, path: str, reason: str, hint: str) -> ConfigError:
        return ConfigError(f"{SECRET}/{name}", path, reason, hint=hint, code=CODE)


def _is_of_links(found: Object) -> bool:
    """Whether it is a token or a Secret of ours.

    Permission to write an annotation must not give use of the Secret's key.
    """
    marked = labels(found)
    return marked.get(SKUPPER_TYPE) in TOKEN_TYPES or marked.get(TYPE_LABEL, "tls") != "tls"
