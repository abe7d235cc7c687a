"""Address of the Kubernetes API and authentication, for the router and `sitectl`.

lightkube reads kubeconfigs and implements the ways to authenticate; this module adds joined files
and exec plugins of version v1.
"""

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from router.model.errors import ConfigError

try:
    import yaml
    from lightkube.config.kubeconfig import KubeConfig, SingleConfig
    from lightkube.config.models import NameValue, UserExec
    from lightkube.core.exceptions import ConfigError as LightkubeError
except ImportError as error:
    raise ConfigError(
        "Kubernetes",
        "",
        f"the client is not installed ({error})",
        hint="Install it with: pip install 'spillway-router[kubernetes]'",
        code="SW0430",
    ) from error

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_KUBECONFIG: Final = "~/.kube/config"
EXEC_V1, EXEC_V1BETA1 = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"

UNUSABLE: Final = (
    LightkubeError,
    AttributeError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    yaml.YAMLError,
)
"""Exceptions of reading an unusable configuration, and of making a client from it."""
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be built without libyaml.


def read_config(kubeconfig: str | None, context: str | None) -> SingleConfig:
    """The configuration that kubectl would use; in a pod its service account, unless flags differ.

    ConfigError SW0431: there is none, or it cannot be used.
    """
    try:
        config = _config(kubeconfig, context)
    except UNUSABLE as error:
        raise unusable(error, kubeconfig) from error
    if config.user is not None and config.user.exec is not None:
        _allow_exec_v1(config.user.exec)
    return config


def unusable(error: Exception, kubeconfig: str | None) -> ConfigError:
    """The problem of a configuration, with the next step."""
    source = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    reason = f"no {error} in it" if isinstance(error, KeyError) else str(error)
    return ConfigError(
        source,
        "",
        f"the Kubernetes API cannot be reached with this: {reason}",
        hint="Name a file and a context that `kubectl get pods` works with: "
        "--kubeconfig FILE --context NAME, or run in a pod with a service account",
        code="SW0431",
    )


def _config(kubeconfig: str | None, context: str | None) -> SingleConfig:
    if kubeconfig is None and context is None:
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and (SERVICE_ACCOUNT / "token").exists()
        if in_pod:
            return _single(KubeConfig.from_service_account(SERVICE_ACCOUNT), None)
    named = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    files = [Path(name).expanduser() for name in named.split(os.pathsep) if name]
    found = [file for file in files if file.is_file()]
    if len(found) > 1:
        return _single(KubeConfig.from_dict(_merged(found), fname=found[0]), context)
    if not found:
        raise LightkubeError(f"there is no file {named}")
    return _single(KubeConfig.from_dict(_content(found[0]), fname=found[0]), context)


def _single(config: KubeConfig, context: str | None) -> SingleConfig:
    found = config.get(context_name=context)
    if found is None or found.user is None:
        raise LightkubeError("its context names no user")
    return found


def _content(file: Path) -> Any:
    """The content of a kubeconfig. lightkube would take fifteen times as long, in pure Python."""
    return yaml.load(file.read_text(), _Loader)


def _merged(files: list[Path]) -> dict[str, Any]:
    """Several kubeconfigs, joined as kubectl does: the first file that names a thing wins."""
    merged: dict[str, Any] = {"clusters": [], "contexts": [], "users": []}
    for file in files:
        content = _content(file) or {}
        merged["current-context"] = merged.get("current-context") or content.get("current-context")
        for section in ("clusters", "contexts", "users"):
            known = {entry["name"] for entry in merged[section]}
            for entry in content.get(section) or ():
                if entry["name"] not in known:
                    merged[section].append(_absolute(entry, file.parent))
    return merged


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """``entry`` with its file names made absolute."""
    files = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    return {
        section: {
            key: str(folder / value) if key in files and value else value
            for key, value in fields.items()
        }
        if isinstance(fields, dict)
        else fields
        for section, fields in entry.items()
    }


def _allow_exec_v1(command: UserExec) -> None:
    """Treat plugins of version v1 like those of v1beta1: their answers hold the same token."""
    version = command.apiVersion or EXEC_V1BETA1
    if version == EXEC_V1:
        command.apiVersion = EXEC_V1BETA1
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    told = NameValue("KUBERNETES_EXEC_INFO", msgspec.json.encode(info).decode())
    command.env = [*(command.env or ()), told]
