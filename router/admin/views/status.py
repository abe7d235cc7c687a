"""The router and its site: state, workers, listeners and certificate authority."""

import msgspec

from router.admin.views.links import SiteName
from router.model.events import Note, Problem
from router.model.specs import SharingMode


class Console(msgspec.Struct, frozen=True):
    """The console's address and login; empty strings: not served.

    ``namespace``: the site's; empty: the site is a directory of a host. ``directory``: its name,
    which `sitectl --site` takes; a renamed site has another one.
    """

    url: str = ""
    auth: str = ""
    secret: str = ""
    namespace: str = ""
    directory: str = ""


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One of several processes of a router; ``process`` None: it is gone and will restart.

    ``restarts`` since the first one was started. ``silent_since``: the time of its last answer, if
    it has not answered for some seconds.
    """

    index: int
    process: int | None
    ready: bool
    restarts: int
    silent_since: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`status`. ``links``, ``services`` and ``sites`` are counts (sites: the reachable ones,
    including this one). ``sites_known`` also counts sites that were reachable in the last minutes.
    ``links_up``: links that carry requests, or could; over ``links_silent`` of them nothing was
    heard for about two seconds, so the router drops them in a second or two. For ``links_partly``
    of them some workers have no connection.

    ``replicas``: this router and the linked ones of its site. ``workers``: its processes, the
    answering one first; empty: there is only one. ``workers_next``: the number of workers after the
    next start, if its document changed it; None: unchanged. ``notes``: errors in the wanted state
    that degrade nothing, a bounded number. ``draining``: it stops: requests in flight end, and no
    new ones begin. ``sharing``: strict if only rules and grants allow anything.
    """

    name: str
    id: str
    mode: str
    version: str
    ready: bool
    uptime_s: float
    links: int
    services: int
    sites: int
    problems: tuple[Problem, ...]
    links_up: int = 0
    console: Console = Console()
    notes: tuple[Note, ...] = ()
    replicas: int = 1
    workers: tuple[WorkerView, ...] = ()
    workers_next: int | None = None
    sharing: SharingMode = "open"
    draining: bool = False
    links_silent: int = 0
    links_partly: int = 0
    sites_known: int = 0


class CaCertificateView(msgspec.Struct, frozen=True):
    """One CA of the site. ``role``: ``issuing``, ``next`` or ``previous``."""

    role: str
    fingerprint: str
    expires: str


class CaWaitView(msgspec.Struct, frozen=True, kw_only=True):
    """A site that a rotation waits for. ``renews``: it is linked now and can take the CA by
    itself."""

    site: SiteName
    connected: bool
    renews: bool


class CaView(msgspec.Struct, frozen=True, kw_only=True):
    """`ca status`. ``phase``: ``one`` CA, or, in a rotation, ``announced`` or ``switched``.

    ``since`` and ``until``: of the phase; it ends sooner when no site is awaited. ``next``: the
    next step. None: there is no rotation.
    """

    phase: str
    since: str | None
    until: str | None
    next: str
    hurried: bool
    certificates: tuple[CaCertificateView, ...]
    waiting: tuple[CaWaitView, ...]


class ListenerView(msgspec.Struct, frozen=True, kw_only=True):
    """Where clients of a service connect here. ``state``: bound, none or error."""

    host: str
    port: int
    state: str
    error: str
