"""SW07xx: tracing, burst hooks, simulations."""

from typing import Final

from router.model.codes.code import Code

BURSTS: Final = (
    Code(
        "SW0701",
        "Tracing without OpenTelemetry",
        "Requests are served without spans.",
        "pip install 'spillway-router[otel]', then restart the router",
    ),
    Code(
        "SW0702",
        "OpenTelemetry refuses its settings",
        "Requests are served without spans.",
        "Fix the variables OTEL_* in the router's environment and restart it",
    ),
    Code(
        "SW0703",
        "A burst that looks at nothing",
        "It names no service, or no mark.",
        "Give service: and when: in the Burst",
    ),
    Code(
        "SW0704",
        "The low mark of a burst is not below the high one",
        "It would begin and end at once.",
        "Lower resume",
    ),
    Code("SW0705", "A burst has not exactly one hook", "It runs one thing.", "Keep one of them"),
    Code(
        "SW0706",
        "A template of a burst",
        "It names what is not there, or is not closed.",
        "Use the fields that the text lists",
    ),
    Code(
        "SW0707",
        "A URL of a burst",
        "It cannot be called: scheme, host or login.",
        "Write https://HOST/PATH; secrets go into headers from files",
    ),
    Code(
        "SW0708",
        "A manifest of a burst",
        "It is not an object that can be made, or holds too much.",
        "Correct it as the text says",
    ),
    Code(
        "SW0709", "Too many bursts", "The ones beyond do nothing.", "Remove some: sitectl get burst"
    ),
    Code(
        "SW0710",
        "A burst hook failed",
        "It is run again by itself.",
        "sitectl burst status NAME shows what it said",
    ),
    Code(
        "SW0711",
        "A burst hook that may not run here",
        "This platform or its rights do not allow it.",
        "As the text says; see docs/bursts.md",
    ),
    Code(
        "SW0712",
        "What bursts have done cannot be remembered",
        "After a restart a hook could run again.",
        "Free space on that disk, or give the right that is named",
    ),
    Code(
        "SW0713",
        "A burst watches a service that is not known",
        "It never begins.",
        "sitectl service status; then correct service: in the Burst",
    ),
    Code(
        "SW0714",
        "No thread for the access log or for tracing",
        "Requests are served without lines or spans. The router tries again when its configuration "
        "changes.",
        "Raise pids.max, TasksMax= or ulimit -u, and restart the router",
    ),
)

SIMULATIONS: Final = (
    Code(
        "SW0720",
        "A field of a scenario",
        "It is missing, unknown or cannot have that value.",
        "Correct it at the line that is named; see docs/simulate.md",
    ),
    Code(
        "SW0721",
        "A name that is not in the scenario",
        "A site, service or link is used and not described.",
        "Add it, or correct the name",
    ),
    Code(
        "SW0722",
        "A scenario that is too long",
        "It would have more requests or targets than are computed.",
        "Shorten duration, or lower the rate",
    ),
    Code(
        "SW0723",
        "A log that cannot be replayed",
        "A line of it is not one of an access log.",
        "Correct or remove the line that is named",
    ),
    Code(
        "SW0724",
        "Fields of a scenario that contradict each other",
        "They cannot both be.",
        "As the text says",
    ),
    Code(
        "SW0725",
        "Sites without a way",
        "Arrivals at a site can reach no target.",
        "Add targets or links",
    ),
    Code(
        "SW0726",
        "Not a scenario",
        "The file is something else.",
        "kind: Scenario; docs/simulate.md",
    ),
    Code(
        "SW0727",
        "A value of --set",
        "The scenario has no such field.",
        "--set FIELD=VALUE as in --set duration=10s",
    ),
    Code("SW0728", "The picture cannot be written", "Its file.", "Name another file with --svg"),
)
