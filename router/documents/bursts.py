"""The fields of kind `Burst`, and their checks.

Error codes: SW0703 nothing to measure, SW0704 low mark not below the high one, SW0705 not exactly
one hook, SW0706 a template, SW0707 a URL, SW0708 a manifest. Further ones:
`operate.bursts.burst_runs`.
"""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from router.documents import quantities, readers, templates
from router.documents.fields import Field, Shape
from router.documents.nodes import Findings, Mapping, Node, Scalar
from router.documents.readers import BAD, Bad
from router.model import limits
from router.model.addresses import metadata_kind
from router.model.bursts import BurstSpec, CalmMarks, SaturatedMarks, WebhookSpec

_WHOLE_PERCENT: Final = re.compile(r"([0-9]{3,5})%\Z")
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_FLOAT: Final = re.compile(r"-?[0-9]{1,17}\.[0-9]{1,17}\Z")
FIGURES: Final = (
    ("used", "used"),
    ("full", "full"),
    ("queue_wait_s", "queueWait"),
    ("overflow", "overflow"),
)


def _share_above_zero(findings: Findings, node: Node, path: str) -> float | Bad:
    value = quantities.percent(findings, node, path)
    if isinstance(value, float) and value == 0:
        findings.add(node, path, "a mark of 0 is always reached", "Write 1% or more")
        return BAD
    return value


def _panic_share(findings: Findings, node: Node, path: str) -> float | Bad:
    """``200%``, or 2.0."""
    text = node.value if isinstance(node, Scalar) else ""
    found = _WHOLE_PERCENT.match(text)
    value = float(text) if _FLOAT.match(text) else int(found[1]) / 100 if found else 0.0
    if 1 <= value <= limits.BURST_PANIC_SHARE_MAX:
        return value
    most = f"{limits.BURST_PANIC_SHARE_MAX * 100:.0f}%"
    reason = f"expected a share from 100% to {most}, got {readers.shown(node)}"
    findings.add(node, path, reason, "Write 200%")
    return BAD


def template(findings: Findings, node: Node, path: str) -> str | Bad:
    """A text in which every ``{{…}}`` is a known name."""
    value = readers.text_of(findings, node, path, "a text")
    if isinstance(value, Bad):
        return BAD
    wrong = templates.unknown(value)
    if wrong is not None:
        reason = "{{ without }}" if wrong == "{{" else f"unknown name {wrong[:40]!r} in {{{{…}}}}"
        hint = readers.nearest(wrong, templates.NAMES)
        findings.add(node, path, reason, hint, "SW0706")
        return BAD
    return value


def url(findings: Findings, node: Node, path: str) -> str | Bad:
    """An absolute http or https URL without user information."""
    value = readers.text_of(findings, node, path, "a URL")
    if isinstance(value, Bad):
        return BAD
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or not value.isascii() or not value.isprintable() or " " in value:
        findings.add(
            node,
            path,
            f"expected a URL like https://hooks.example.com/burst, got {readers.shown(node)}",
            code="SW0707",
        )
        return BAD
    if kind := metadata_kind(parts.hostname or ""):
        findings.add(
            node,
            path,
            f"{parts.hostname} is {kind}: there clouds answer with credentials; none is called",
            "Name the receiver by its name",
            "SW0707",
        )
        return BAD
    if "@" in parts.netloc:
        findings.add(
            node,
            path,
            "a password in a URL is in every backup and log",
            "Take it out; secret: NAME signs what is sent",
            "SW0707",
        )
        return BAD
    return value


def manifest(findings: Findings, node: Node, path: str) -> dict[str, Any] | Bad:
    """A Kubernetes object with apiVersion, kind and metadata.name; texts may be templates."""
    left = [limits.BURST_OBJECT_VALUES_MAX]
    value = _value(findings, node, path, left)
    if isinstance(value, Bad):
        return BAD
    if left[0] < 0:
        findings.add(
            node, path, f"has more than {limits.BURST_OBJECT_VALUES_MAX} values", code="SW0708"
        )
        return BAD
    if not isinstance(value, dict):
        findings.add(node, path, f"expected a manifest, got {readers.shown(node)}", code="SW0708")
        return BAD
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    name = metadata.get("name")
    for key, found in (
        ("apiVersion", value.get("apiVersion")),
        ("kind", value.get("kind")),
        ("metadata.name", name),
    ):
        if not isinstance(found, str) or not found:
            hint = f"Add {key}: the router creates and deletes it by that"
            findings.add(node, path, f"field {key!r} is missing or no text", hint, "SW0708")
            return BAD
    return value if _is_good_object(findings, node, path, value, metadata) else BAD


_API_VERSION: Final = re.compile(r"(?:[a-z0-9][a-z0-9.-]{0,252}/)?v[a-z0-9]{1,62}\Z")
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}\Z")
_OBJECT_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
_NO_KINDS: Final = frozenset({"Secret", "ServiceAccount", "TokenRequest"})
_NO_GROUPS: Final = frozenset(
    f"{name}.k8s.io"
    for name in (
        "rbac.authorization",
        "authorization",
        "authentication",
        "admissionregistration",
        "apiregistration",
        "certificates",
    )
)
"""Kinds and groups that grant permissions or hold keys. The router may write Secrets: a user who
may only write the router's documents must not gain that permission through them.
"""


def _is_good_object(
    findings: Findings, node: Node, path: str, value: dict[str, Any], metadata: dict[str, Any]
) -> bool:
    version, kind, name = value["apiVersion"], value["kind"], metadata["name"]
    namespace = metadata.get("namespace")
    for text in (name, namespace):
        if isinstance(text, str) and not templates.names_in(text) <= templates.STEADY:
            findings.add(
                node,
                path,
                "what an object is called must not change with the figures: it is deleted by that",
                f"There use {', '.join(sorted(templates.STEADY))} only",
                "SW0706",
            )
            return False
    for key, text, form in (
        ("apiVersion", version, _API_VERSION),
        ("kind", kind, _KIND),
        ("metadata.name", name, _OBJECT_NAME),
        ("metadata.namespace", "x" if namespace is None else namespace, _OBJECT_NAME),
    ):
        sample = text
        if isinstance(text, str) and form is _OBJECT_NAME:
            sample = templates.filled(text, dict.fromkeys(templates.STEADY, "x"))
        if not isinstance(sample, str) or form.match(sample) is None:
            reason = f"{key} {str(text)[:80]!r} is none that Kubernetes could have"
            findings.add(node, path, reason, "It becomes part of a path", "SW0708")
            return False
    if (kind in _NO_KINDS and "/" not in version) or version.partition("/")[0] in _NO_GROUPS:
        findings.add(
            node,
            path,
            f"a {kind} of {version} grants rights or holds keys: no hook makes one",
            "Let a webhook's receiver do that, or a controller of your own",
            "SW0708",
        )
        return False
    return True


def _value(findings: Findings, node: Node, path: str, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        return None
    if isinstance(node, Mapping):
        items = {
            key.value: _value(findings, item, f"{path}.{key.value}", left)
            for key, item in node.entries
        }
        return BAD if any(isinstance(item, Bad) for item in items.values()) else items
    if not isinstance(node, Scalar):
        listed = [_value(findings, at, f"{path}[{i}]", left) for i, at in enumerate(node.items)]
        return BAD if any(isinstance(item, Bad) for item in listed) else listed
    if node.is_null:
        return None
    if node.plain and node.value in ("true", "false"):
        return node.value == "true"
    if node.plain and _INTEGER.match(node.value):
        return int(node.value)
    if node.plain and _FLOAT.match(node.value):
        return float(node.value)
    return template(findings, node, path) if "{{" in node.value else node.value


def _value_at(node: Node, key: str) -> Node:
    """The value of ``key``; or ``node`` itself, if it is not a mapping with that key."""
    return (node.get(key) if isinstance(node, Mapping) else None) or node


def _check_burst(findings: Findings, node: Mapping, path: str, spec: BurstSpec) -> bool:
    given = [kind for kind in ("webhook", "command", "object") if getattr(spec, kind)]
    if len(given) != 1:
        what = " and ".join(given) if given else "none"
        findings.add(
            node.get(given[1]) or node if len(given) > 1 else node,
            path,
            f"expected one of webhook, command and object, got {what}",
            "For two hooks write two Burst documents",
            "SW0705",
        )
        return False
    return check_marks(findings, node, path, spec.saturated, spec.calm)


def check_marks(
    findings: Findings, node: Mapping, path: str, high: SaturatedMarks, low: CalmMarks
) -> bool:
    """Whether something is measured, and each calm mark is below its saturated one.

    ``node`` contains both as ``saturated`` and ``calm``.
    """
    high_node, low_node = node.get("saturated") or node, node.get("calm") or node
    if all(getattr(high, attribute) is None for attribute, _ in FIGURES):
        findings.add(
            high_node,
            f"{path}.saturated",
            "expected at least one of used, full, queueWait and overflow",
            "Write saturated: {used: 70%}",
            "SW0703",
        )
        return False
    if high.used is None and high.panic != limits.BURST_PANIC_SHARE:
        findings.add(
            _value_at(high_node, "panic"),
            f"{path}.saturated.panic",
            "panic belongs to used, which is not looked at",
            "Add used: 70%, or take panic out",
            "SW0703",
        )
        return False
    for attribute, key in (*FIGURES, ("refused", "refused")):
        top, bottom = getattr(high, attribute), getattr(low, attribute)
        if bottom is None:
            continue
        place = _value_at(low_node, key)
        if top is None:
            findings.add(
                place,
                f"{path}.calm.{key}",
                f"calm has {key}, saturated has not: it is not looked at",
                f"Add {key} to saturated, or take it out here",
                "SW0703",
            )
            return False
        if bottom >= top:
            findings.add(
                place,
                f"{path}.calm.{key}",
                f"the calm mark must be below the saturated one, it would flap: "
                f"{_shown(key, bottom)} is not below {_shown(key, top)}",
                "Leave it out for half the saturated mark",
                "SW0704",
            )
            return False
    return True


def _shown(key: str, mark: float) -> str:
    return quantities.duration_text(mark) if key == "queueWait" else f"{mark:.6g}"


_QUEUE_WAIT = quantities.DurationReader(0.001, limits.QUEUE_WAIT_S_MAX)
_SATURATED = Shape(
    SaturatedMarks,
    Field(
        "used",
        _share_above_zero,
        "requests that want a slot here at once, as a share of the configured capacity (`70%`)",
    ),
    Field(
        "panic", _panic_share, "beside `used`: the same over 6 s; reached, no window is waited for"
    ),
    Field("full", _share_above_zero, "share of the time in which this site is full (`80%`)"),
    Field("queue_wait_s", _QUEUE_WAIT, "how long requests wait for a slot"),
    Field(
        "overflow", _share_above_zero, "share of the requests that leave because this site is full"
    ),
    Field("refused", _share_above_zero, "share of the requests that no site took"),
)
_CALM = Shape(
    CalmMarks,
    Field("used", quantities.percent, "unset: half of the saturated mark; so are the next four"),
    Field("full", quantities.percent, "share of the time in which this site is full"),
    Field(
        "queue_wait_s",
        quantities.DurationReader(0.0, limits.QUEUE_WAIT_S_MAX),
        "how long requests wait for a slot",
    ),
    Field(
        "overflow", quantities.percent, "share of the requests that leave because this site is full"
    ),
    Field("refused", quantities.percent, "share of the requests that no site took"),
    Field("for_s", quantities.DurationReader(0.0, 86_400.0), "how long all of them"),
)
_WEBHOOK = Shape(
    WebhookSpec,
    Field("url", url, "http or https", required=True),
    Field("secret", readers.name, "the file `secrets/webhooks/NAME` that signs it; empty: none"),
    Field("timeout_s", quantities.DurationReader(0.1, 300.0), "of one try"),
    Field("tries", quantities.IntegerReader(1, 20), "at most"),
)
BURST: Final = Shape(
    BurstSpec,
    Field("service", readers.name, "that is watched here", required=True),
    Field(
        "window_s",
        quantities.DurationReader(limits.BURST_WINDOW_S_MIN, limits.BURST_WINDOW_S_MAX),
        "what figures are taken over",
    ),
    Field(
        "saturated",
        _SATURATED.read,
        "any of these, reached, is a burst",
        required=True,
        shape=_SATURATED,
    ),
    Field("calm", _CALM.read, "all of these, for so long, end it", shape=_CALM),
    Field(
        "cool_down_s", quantities.DurationReader(1.0, 7 * 86_400.0), "least time between two runs"
    ),
    Field(
        "timeout_s",
        quantities.DurationReader(0.1, limits.BURST_RUN_S_MAX),
        "of a run of the command, or of an attempt at the object",
    ),
    Field(
        "webhook",
        readers.OptionalReader(_WEBHOOK.read),
        "a POST of JSON; exactly one of webhook, command, object",
        shape=_WEBHOOK,
    ),
    Field(
        "command",
        readers.ListReader(template, limits.BURST_COMMAND_WORDS_MAX, "words"),
        "words of a command; texts may hold `{{name}}`",
    ),
    Field(
        "object",
        readers.OptionalReader(manifest),
        "a Kubernetes manifest that is there while saturated",
    ),
    check=_check_burst,
)
