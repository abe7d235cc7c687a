"""Connectors of workloads -> Connectors of addresses: which pods are the targets now.

`expand` says it from nothing; `Expander` gives the same and looks only at what changed since the
last time, so that one pod costs what its services cost, whatever else a namespace holds.

Findings: SW0432 a kind that may not be read; SW0433 no such workload; SW0434 it selects no pod;
SW0435 no such port; SW0436 a capacity that cannot be used; SW0437 it leads back to the routers;
SW0438 more targets than count.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from router.kubernetes import names, selectors
from router.kubernetes.backing import Backing, of_service
from router.kubernetes.objects import Object, Snapshot, labels, metadata, name_of, shown
from router.kubernetes.pods import (
    BOTH,
    Family,
    NoPort,
    PodIndex,
    address_of,
    capacity_of,
    counts,
    declared_ports,
    ports_of,
    target,
)
from router.kubernetes.selectors import Selector
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, ServiceSpec, TargetSpec
