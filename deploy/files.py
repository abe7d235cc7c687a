"""All generated files."""

from deploy import bundle, chart, kustomize


def all_files() -> dict[str, str]:
    """Text by path below ``deploy/``."""
    return kustomize.files() | chart.files() | bundle.files()
