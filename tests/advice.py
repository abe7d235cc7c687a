"""Advice with commands, and as it is where the site ``west`` was named: for sitectl and console."""

from typing import Final

ADVICE: Final = (
    ("sitectl link status", "sitectl --site west link status"),
    ("Next: sitectl start", "Next: sitectl --site west start"),
    ("Free it, or: sitectl stop", "Free it, or: sitectl --site west stop"),
    ("sitectl --site west start", "sitectl --site west start"),
    ("sitectl link set --help", "sitectl link set --help"),
    ("sitectl --help", "sitectl --help"),
    ("sitectl init west", "sitectl init west"),
    ("At mid: sitectl link set NAME", "At mid: sitectl link set NAME"),
    ("On mid run: sitectl token create FILE", "On mid run: sitectl token create FILE"),
    (
        "See ERROR: sitectl top. At a, b: sitectl top",
        "See ERROR: sitectl --site west top. At a, b: sitectl top",
    ),
    (
        "sitectl top, and at the other end: sitectl top",
        "sitectl --site west top, and at the other end: sitectl top",
    ),
    ("There: sitectl token create FILE", "There: sitectl token create FILE"),
    ("or let it use yours, there: sitectl top", "or let it use yours, there: sitectl top"),
    ("Let it in again, on mid run: sitectl top", "Let it in again, on mid run: sitectl top"),
    ("Raise those there are: sitectl top", "Raise those there are: sitectl --site west top"),
    (
        "To end them sooner: sitectl stop, then sitectl start",
        "To end them sooner: sitectl --site west stop, then sitectl --site west start",
    ),
    (
        "If it should not be here at all: sitectl link delete a",
        "If it should not be here at all: sitectl --site west link delete a",
    ),
    ("refused (sitectl link status)", "refused (sitectl --site west link status)"),
    (
        "sitectl stop, then sitectl start",
        "sitectl --site west stop, then sitectl --site west start",
    ),
    ("sitectl top && sitectl top", "sitectl --site west top && sitectl --site west top"),
    ("Is it right? sitectl link set", "Is it right? sitectl --site west link set"),
    ("Free it; see sitectl events", "Free it; see sitectl --site west events"),
    ("this sitectl does not know it", "this sitectl does not know it"),
    ("More: sitectl explain SW0101", "More: sitectl explain SW0101"),
)
