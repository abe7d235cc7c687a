"""All generated files."""

from deploy import alerts, bundle, chart, grafana, kustomize
from deploy.text import GENERATED, document


def all_files() -> dict[str, str]:
    """All texts by path below ``deploy/``."""
    plain = {"prometheus/spillway.rules.yaml": GENERATED + document(alerts.groups())}
    plain |= {f"grafana/{name}.json": text for name, text in grafana.texts().items()}
    return kustomize.files() | chart.files() | bundle.files() | plain
