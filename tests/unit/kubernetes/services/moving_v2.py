"""A namespace with Skupper v2, Spillway's router and a migrating operator, all of them played."""

from typing import Any, ClassVar

from router.documents.skupper2.objects import GROUP
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change
from router.kubernetes.translation.translate import translate
from sitectl.kubernetes.migration.survey import SkupperNamespace
from sitectl.kubernetes.migration.survey_v2 import survey_v2
from tests.kubernetes.skupper2 import NAME, SiteController
from tests.unit.kubernetes.services.moving import KINDS
from tests.unit.kubernetes.services.moving_namespace import Json, MovingNamespace

KINDS_V2 = ("Site", "Listener", "MultiKeyListener", "Connector")


class WorldV2(MovingNamespace):
    """With Skupper v2. ``named``: ConfigMap ``skupper`` names its controller."""

    UNSEEN: ClassVar = {"": ("status",), "metadata": ("resourceVersion", "namespace")}

    def __init__(self, *, guards: bool = True, named: bool = False) -> None:
        self.skupper = SiteController(guards=guards)
        super().__init__(self.skupper, (*KINDS, *KINDS_V2))
        self.put("ConfigMap", names.SITE_CONFIGMAP, data={"name": "shop"})
        if named:
            self.put("ConfigMap", names.SKUPPER_CONTROL, data={"controller": NAME, "other": "x"})
        self.put("Site", "shop", spec={})

    def put(self, kind: str, name: str, **fields: Any) -> Json:
        api = f"{GROUP}/v2alpha1" if kind in KINDS_V2 else "v1"
        return super().put(kind, name, apiVersion=api, **fields)

    def listens(self, name: str, host: str, key: str, port: int = 80) -> None:
        """A Listener."""
        self.put("Listener", name, spec={"routingKey": key, "host": host, "port": port})

    def serves(self, name: str, key: str) -> None:
        """A Connector."""
        self.put("Connector", name, spec={"routingKey": key, "selector": "app=x", "port": 8080})

    def router_looks(self) -> bool:
        errors = translate(self.snapshot()).errors
        assert not errors, errors
        return super().router_looks()

    def namespace(self) -> SkupperNamespace:
        snapshot = self.snapshot()
        records = snapshot.get("ConfigMap", names.MIGRATION_CONFIGMAP)
        control = snapshot.get("ConfigMap", names.SKUPPER_CONTROL)
        return survey_v2(snapshot, translate(snapshot).options, records, control)

    def judge(self, change: Change) -> None:
        assert change.kind in ("ConfigMap", "Service"), "Skupper's objects stay as they are"

    def led_by(self, name: str) -> str:
        """Whose router the Service leads to."""
        selector = self.cluster.service(name)["spec"]["selector"]
        return "skupper" if "application" in selector else "spillway"
