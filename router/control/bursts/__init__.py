"""The three hooks of a burst: a webhook, a command, a Kubernetes object. One coroutine each.

In: a `Firing`, the action and the figures to send. Out: always a `HookOutcome`: a hook's result or
failure is returned, never raised, and takes no longer than its deadline. Only a canceled run
raises, after it has ended its processes and requests.
"""

from router.control.bursts.hook_call import Firing, HookOutcome

__all__ = ["Firing", "HookOutcome"]
