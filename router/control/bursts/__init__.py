"""The three hooks of a burst: a webhook, a command, a Kubernetes object. One coroutine each.

In: a `Firing`, what to do and the figures to tell. Out: a `HookOutcome`, always: whatever a hook
does or fails to do is told, never raised, and takes no longer than its deadline. Only a canceled
run raises, having ended what it began.
"""

from router.control.bursts.hook_call import Firing, HookOutcome

__all__ = ["Firing", "HookOutcome"]
