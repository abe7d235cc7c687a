"""Commands that an advice says to type, each with the flags that select the same site again."""

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from sitectl.base.folders import GATEWAYS

FIELDS: Final = frozenset({"hint", "let_in", "step"})
"""Fields of JSON that say what to type."""

_VALUE: Final = r"(?:'[^']*'|\S+)"
_FLAGS: Final = {
    "sitectl": r"--platform|--state|--site|--kubeconfig|-c|--context|-n|--namespace",
    "kubectl": r"--kubeconfig|--context|-n|--namespace",
}
_KUBECTL_NAMES: Final = {"-c": "--context"}
_OF_NO_NAMESPACE: Final = r" (?:namespaces?|nodes?|--raw)\b"
"""After a verb of kubectl: kinds that are in no namespace, and paths."""
_NEED_NO_SITE: Final = r"(?!(?:explain|version|completion|switch)\b|(?:[a-z]+ )+--help)"

# A command where a sentence has one: at its begin, after a stop, "then", "see" or "or". `there`: it
# is to be typed at another site. `own`: the flags that it has already. `whole`: `-n` means nothing.
_COMMAND: Final = re.compile(
    r"(?P<there>\b(?:At|On|There)\b[^:;.\n]*: "
    r"|\b(?:at (?!(?:once|all)\b)[^:;,.\n]*|on \S+ run|there): )?"
    r"(?:^|(?<=[:;,.?] )|(?<=[(])|(?<=\bthen )|(?<=\b[Ss]ee )|(?<=\bor )|(?<=&& ))"
    + "(?:"
    + "|".join(
        rf"(?P<{program}>{program}) (?P<{program}_own>(?:(?:{flags})[ =]{_VALUE} )*)"
        for program, flags in _FLAGS.items()
    )
    + rf")(?P<verb>(?=[a-z]){_NEED_NO_SITE}[a-z-]+)(?=(?P<whole>{_OF_NO_NAMESPACE})?)"
)


class Place:
    """The flags of a command line that select its site; those that it did not need are None."""

    __slots__ = ("_given", "_is_namespace")

    def __init__(self, given: Mapping[str, str | None], *, is_namespace: bool) -> None:
        """``given``: by flag. ``is_namespace``: the site is one, not a directory."""
        self._given = {flag: value for flag, value in given.items() if value is not None}
        self._is_namespace = is_namespace

    def completed(self, text: str) -> str:
        """``text`` with the flags that each command for this site needs.

        A command's own flags stay as they are; completing a text twice changes nothing.
        """

        def with_flags(found: re.Match[str]) -> str:
            if found["there"]:
                return found[0]
            added = self._sitectl(found) if found["sitectl"] else self._kubectl(found)
            head = found[0].removesuffix(found["verb"])
            own = found["sitectl_own"] or found["kubectl_own"] or ""
            return f"{head.removesuffix(own)}{added}{own}{found['verb']}"

        return _COMMAND.sub(with_flags, text)

    def _sitectl(self, found: re.Match[str]) -> str:
        own = _names(found["sitectl_own"])
        if own & {"--kubeconfig", "-c", "--context"}:
            return ""  # It names a cluster, maybe of another site.
        given = dict(self._given)
        if own & {"-n", "--namespace"}:  # It names a namespace, maybe of another site here.
            given = {name: given[name] for name in ("--kubeconfig", "-c") if name in given}
        if own & {"--site", "--state"}:  # It names a directory, maybe of another site.
            given = {name: given[name] for name in ("--platform", "--state") if name in given}
            if self._is_namespace:
                given = {"--platform": "process"}
        if found["verb"] == "init":
            given.pop("--site", None)  # Its name is the site's.
        state = PurePath(given.get("--state", ""))
        if found["verb"] == "gateway" and state.name == GATEWAYS:
            given = {"--state": str(state.parent)}  # This site is a gateway; that is its host's.
        return _typed(given, own)

    def _kubectl(self, found: re.Match[str]) -> str:
        own = _names(found["kubectl_own"])
        if "--namespace" in own or found["whole"]:
            own.add("-n")
        given = {_KUBECTL_NAMES.get(name, name): value for name, value in self._given.items()}
        given = {name: value for name, value in given.items() if name in _FLAGS["kubectl"]}
        return _typed(given, own)

    def in_json(self, content: Any) -> Any:
        """``content`` (decoded JSON) with the texts in its `FIELDS` completed."""
        if isinstance(content, Mapping):
            return {
                name: self.completed(value)
                if name in FIELDS and isinstance(value, str)
                else self.in_json(value)
                for name, value in content.items()
            }
        return [self.in_json(one) for one in content] if isinstance(content, list) else content


def _names(flags: str) -> set[str]:
    return set(re.findall(r"(?:^| )(--?[a-z]+)", flags))


def _typed(given: Mapping[str, str], own: set[str]) -> str:
    return "".join(
        f"{flag} {shlex.quote(value)} " for flag, value in given.items() if flag not in own
    )
