"""The console's part of the chart: its Service, and a Route or Ingress before it."""

from collections.abc import Callable
from typing import Any, Final

from deploy.text import GENERATED, document, indented
from router.kubernetes.manifests.console import console_objects, login_annotations
from router.kubernetes.objects.console import HOST_PREFIX
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import SiteOptions

HELPERS: Final = """
{{- define "spillway.consoleIngress" -}}
{{- $stated := get .Values.site "console-ingress" | default (include "spillway.ingress" .) }}
{{- if eq $stated "contour-http-proxy" }}none{{ else }}{{ $stated }}{{ end }}
{{- end }}

{{- define "spillway.consoleHost" -}}
{{- $domain := get .Values.site "router-ingress-host" | default (get .Values.site "ingress-host") }}
{{- if $domain }}spillway-console.{{ .Release.Namespace }}.{{ $domain }}{{ end }}
{{- end }}
"""
_HOST: Final = "the-host"
_IF_HOST: Final = '{{- if include "spillway.consoleHost" . }}\n'
_END: Final = "{{- end }}\n"


def account(text: str) -> str:
    """The template of the ServiceAccount, with the annotations for logins through OpenShift."""
    options = SiteOptions(
        name="site", console=True, console_authentication="openshift", ingress="route"
    )
    notes = document(login_annotations(options, openshift=True))
    head, line, rest = text.partition("  annotations:\n")
    assert line
    condition = (
        'and (eq (toString (get .Values.site "console")) "true") '
        '(eq (get .Values.site "console-authentication" | toString) "openshift") '
        '(eq (include "spillway.consoleIngress" .) "route")'
    )
    return head + line + f"    {{{{- if {condition} }}}}\n{indented(notes, 4)}    {_END}" + rest


def template(cut: Callable[[Any], str], namespace: str) -> str:
    """``cut``: YAML of an object with expressions in it; ``namespace``: a placeholder it knows."""

    def find(kind: str, **options: Any) -> str:
        made: list[Object] = [
            *console_objects(
                SiteOptions(name="site", console=True, ingress_host=_HOST, **options),
                namespace,
                openshift=True,
            )
        ]
        text = cut(next(one for one in made if one["kind"] == kind))
        host = cut(f"{HOST_PREFIX}.{namespace}.{_HOST}").splitlines()[0]
        return text.replace(host, '{{ include "spillway.consoleHost" . }}')

    types = (
        '{{ get (dict "loadbalancer" "LoadBalancer" "nodeport" "NodePort") '
        '(include "spillway.consoleIngress" .) | default "ClusterIP" }}'
    )
    service = find("Service", ingress="loadbalancer").replace("LoadBalancer", types, 1)
    line = 'host: {{ include "spillway.consoleHost" . }}\n'
    route = find("Route", ingress="route").replace(f"  {line}", f"  {_IF_HOST}  {line}  {_END}")
    nginx = find("Ingress", ingress="nginx-ingress-v1")
    nginx = nginx.replace(f"      {line}", f"      {_IF_HOST}      {line}      {_END}")
    nginx = nginx.replace(
        "  ingressClassName: nginx\n",
        '  {{- if eq $ingress "nginx-ingress-v1" }}\n  ingressClassName: nginx\n  {{- end }}\n',
    )
    return (
        GENERATED
        + "{{- if and (not .Values.controller.enabled) "
        + '(eq (toString (get .Values.site "console")) "true") }}\n'
        + '{{- $ingress := include "spillway.consoleIngress" . }}\n'
        + service
        + '  {{- if gt (int (include "spillway.routers" .)) 1 }}\n'
        + "  sessionAffinity: ClientIP\n  {{- end }}\n"
        + '{{- if eq $ingress "route" }}\n---\n'
        + route
        + '{{- else if has $ingress (list "ingress" "nginx-ingress-v1") }}\n---\n'
        + nginx
        + _END
        + _END
    )
