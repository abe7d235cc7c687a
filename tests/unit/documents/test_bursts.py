"""Documents of kind Burst, right and wrong."""

from pathlib import Path

import pytest
import yaml

from router.documents import read, resolve, write
from router.documents.templates import NAMES, filled, filled_whole
from router.model import limits
from router.model.bursts import BurstSpec

EXAMPLES = Path(__file__).parents[3] / "examples" / "burst-hook"
HEAD = "apiVersion: spillway/v1\nkind: Burst\nname: wake\nspec:\n"
MARKS = "  service: shop\n  saturated: {full: 80%, queueWait: 200ms, overflow: 20%}\n"
COMMAND = '  command: [wake, "{{service}}", "{{ event }}"]\n'


URLS = [
    ("http://169.254.169.254/latest/meta-data", "link-local"),
    ("http://[fe80::1]/", "link-local"),
    ("http://[::ffff:169.254.169.254]/", "link-local"),
    ("http://[fd00:ec2::254]/", "a cloud's metadata address"),
    ("file:///etc/passwd", "expected a URL"),
    ("gopher://a/", "expected a URL"),
    ("https://a/\u00e4", "expected a URL"),
    ("https://a:99999/", "expected a URL"),
    ("https:///x", "expected a URL"),
]
OBJECTS = [
    ("v1", "Secret", "a", "holds keys"),
    ("v1", "ServiceAccount", "a", "grants rights"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "a", "grants rights"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "a", "grants rights"),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", "a", "grants rights"),
    ("../v1", "ConfigMap", "a", "part of a path"),
    ("v1/../../apis/apps/v1", "ConfigMap", "a", "part of a path"),
    ("{{burst}}/v1", "X", "a", "part of a path"),
    ("v1", "{{burst}}", "a", "part of a path"),
    ("v1", "ConfigMap", "../secrets/spillway-ca", "part of a path"),
    ("v1", "ConfigMap", "a?fieldManager=x", "part of a path"),
    ("v1", "ConfigMap", "a%2f..", "part of a path"),
    ("v1", "ConfigMap", "..", "part of a path"),
    ("v1", "ConfigMap", "{{burst}}/{{site}}", "part of a path"),
    ("v1", "ConfigMap", "a, namespace: ../x", "part of a path"),
    ("v1", "ConfigMap", "a, namespace: [x]", "part of a path"),
]


def made(version: str, kind: str, name: str) -> str:
    """An object in YAML; ``name`` may bring further metadata with it."""
    name, _, more = name.partition(",")
    about = f"{{name: '{name}'" + (f",{more}" if more else "") + "}"
    return f"  object: {{apiVersion: '{version}', kind: '{kind}', metadata: {about}}}\n"


def burst(text: str) -> BurstSpec:
    documents, errors = read(HEAD + text, "burst.yaml")
    assert errors == []
    assert isinstance(documents[0].spec, BurstSpec)
    again, _ = read(write(documents[0]), "again")
    assert again[0].spec == documents[0].spec, "what is written can be read"
    return documents[0].spec


def test_everything_that_can_be_said() -> None:
    spec = burst(
        MARKS + "  window: 30s\n  coolDown: 10m\n  timeout: 20s\n"
        "  calm: {full: 30%, overflow: 0.05, for: 5m}\n"
        "  webhook: {url: https://hooks.example.com/b, secret: hook, timeout: 3s, tries: 2}\n"
    )
    assert spec.kind == "webhook"
    assert (spec.saturated.full, spec.saturated.queue_wait_s, spec.saturated.overflow) == (
        0.8,
        0.2,
        0.2,
    )
    assert (spec.calm.full, spec.calm.overflow, spec.calm.for_s) == (0.3, 0.05, 300.0)


@pytest.mark.parametrize(("text", "panic"), [("", 2.0), (", panic: 350%", 3.5)])
def test_a_mark_below_full_has_one_for_panic(text: str, panic: float) -> None:
    spec = burst(f"  service: shop\n  saturated: {{used: 70%{text}}}\n" + COMMAND)
    assert (spec.saturated.used, spec.saturated.panic) == (0.7, panic)


def test_a_manifest_keeps_its_kinds_of_values() -> None:
    spec = burst(
        MARKS + "  object:\n    apiVersion: hive.openshift.io/v1\n    kind: ClusterClaim\n"
        '    metadata: {name: "burst-{{service}}", labels: {n: "1"}}\n'
        '    spec: {size: 3, spot: true, pool: null, note: "at {{demand}}", list: [a, 2]}\n'
    )
    assert spec.object is not None
    assert spec.object["spec"] == {
        "size": 3,
        "spot": True,
        "pool": None,
        "note": "at {{demand}}",
        "list": ["a", 2],
    }
    assert spec.object["metadata"]["labels"] == {"n": "1"}


@pytest.mark.parametrize(
    ("text", "line", "code", "words"),
    [
        (MARKS, 5, "SW0705", "one of webhook, command and object, got none"),
        (MARKS + COMMAND + "  webhook: {url: 'http://a'}\n", 7, "SW0705", "webhook and command"),
        ("  service: shop\n  saturated: {}\n" + COMMAND, 6, "SW0703", "at least one of used"),
        (
            "  service: shop\n  saturated: {full: 80%, panic: 300%}\n" + COMMAND,
            6,
            "SW0703",
            "panic belongs to used",
        ),
        (
            "  service: shop\n  saturated: {used: 70%, panic: 90%}\n" + COMMAND,
            6,
            "SW0101",
            "from 100% to 10000%",
        ),
        (
            "  service: shop\n  saturated: {used: 70%}\n  calm: {used: 70%}\n" + COMMAND,
            7,
            "SW0704",
            "it would flap",
        ),
        (MARKS + "  calm: {full: 90%}\n" + COMMAND, 7, "SW0704", "0.9 is not below 0.8"),
        (MARKS + "  calm: {full: 80%}\n" + COMMAND, 7, "SW0704", "it would flap"),
        (
            "  service: shop\n  saturated: {full: 80%}\n  calm: {overflow: 1%}\n" + COMMAND,
            7,
            "SW0703",
            "saturated has not",
        ),
        (MARKS + '  command: [wake, "{{sevice}}"]\n', 7, "SW0706", "Did you mean 'service'?"),
        (MARKS + '  command: [wake, "{{service"]\n', 7, "SW0706", "without }}"),
        (MARKS + '  command: ["{{__class__}}"]\n', 7, "SW0706", "unknown name"),
        (MARKS + "  webhook: {url: 'ftp://a'}\n", 7, "SW0707", "expected a URL"),
        (MARKS + "  webhook: {url: 'https://u:p@a/'}\n", 7, "SW0707", "a password in a URL"),
        (MARKS + "  object: {kind: X}\n", 7, "SW0708", "'apiVersion' is missing"),
        (
            MARKS + '  object: {apiVersion: v1, kind: X, metadata: {name: "{{demand}}"}}\n',
            7,
            "SW0706",
            "must not change",
        ),
        *((MARKS + f"  webhook: {{url: '{url}'}}\n", 7, "SW0707", words) for url, words in URLS),
        *((MARKS + made(*words), 7, "SW0708", said) for *words, said in OBJECTS),
        ("  service: shop\n  saturated: {full: 80}\n" + COMMAND, 6, "SW0101", "Write 80%"),
        ("  service: shop\n  saturated: {full: 0%}\n" + COMMAND, 6, "SW0101", "always reached"),
        (MARKS + "  window: 1s\n" + COMMAND, 7, "SW0101", "from 2s to 1h"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, line: int, code: str, words: str) -> None:
    documents, errors = read(HEAD + text, "burst.yaml")
    assert documents == []
    (error,) = errors
    assert (error.source, error.line, error.code) == ("burst.yaml", line, code)
    assert words in str(error)


def test_bursts_are_local_to_the_site_and_bounded() -> None:
    texts = ["apiVersion: spillway/v1\nkind: Site\nname: here\n"] + [
        (HEAD + MARKS + COMMAND).replace("wake\nspec", f"wake-{number}\nspec")
        for number in range(limits.BURSTS_MAX + 1)
    ]
    documents = [read(text, f"{i}.yaml")[0][0] for i, text in enumerate(texts)]
    wanted, errors = resolve(documents)
    assert wanted is not None
    assert len(wanted.bursts) == limits.BURSTS_MAX
    assert [error.code for error in errors] == ["SW0709"]


def test_what_is_put_in_is_not_looked_at_again() -> None:
    values = dict.fromkeys(NAMES, "x") | {"service": "{{site}}"}
    assert filled("a {{ service }}-{{event}}", values) == "a {{site}}-x"
    assert filled_whole({"k": ["{{id}}", 1, None, {"{{id}}": "{{id}}"}]}, values) == {
        "k": ["x", 1, None, {"{{id}}": "x"}]
    }


def test_the_examples_can_be_read() -> None:
    for name in ("command", "webhook"):
        documents, errors = read((EXAMPLES / f"{name}.yaml").read_text(), name)
        assert [document.kind for document in documents] == ["Burst"]
        assert errors == []
    claim = yaml.safe_load((EXAMPLES / "clusterclaim.yaml").read_text())["data"]["burst.yaml"]
    documents, errors = read(claim, "claim")
    assert [document.kind for document in documents] == ["Burst"]
    assert errors == []
