"""Rules of Roles, as people type them. Pure."""


def rule_text(group: str, resource: str, *verbs: str) -> str:
    """A rule of a Role that permits ``verbs``; ``group`` is empty for Kubernetes' core kinds."""
    told = ", ".join(f'"{verb}"' for verb in verbs)
    return f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: [{told}]'
