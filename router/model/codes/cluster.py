"""SW0405 to SW0473: Kubernetes."""

from typing import Final

from router.model.codes.code import Code

CODES: Final = (
    Code(
        "SW0405",
        "A value of `skupper-site`",
        "It cannot be used; the default is.",
        "Correct the key that is named: kubectl edit configmap skupper-site",
    ),
    Code(
        "SW0406",
        "An unknown key of `skupper-site`",
        "It has no meaning here and none in Skupper.",
        "Correct its spelling, or remove it",
    ),
    Code(
        "SW0407",
        "A key or value of `skupper-site` without effect",
        "Skupper has it, nothing here needs it.",
        "Nothing; it may be removed",
    ),
    Code(
        "SW0408",
        "The value of an annotation",
        "It cannot be used; the object is taken without it.",
        "Correct the annotation that is named",
    ),
    Code(
        "SW0409",
        "An annotation without effect",
        "It does not exist, or not on this kind.",
        "Correct its key, or remove it",
    ),
    Code(
        "SW0410",
        "Ports of a service",
        "No port is known, or those of two objects do not fit.",
        "Name them: skupper.io/port on the object",
    ),
    Code(
        "SW0411",
        "Two objects of one address",
        "They say different things; the older one counts.",
        "Make them alike, or give one another address",
    ),
    Code(
        "SW0412",
        "A target that leads back",
        "It would send requests to this site's own routers.",
        "Point it at the pods of the application",
    ),
    Code(
        "SW0414",
        "Left to Skupper",
        "Skupper runs in the namespace and has this address.",
        "sitectl migrate --plan",
    ),
    Code(
        "SW0415",
        "A ConfigMap with documents",
        "Something in it is none of the site's documents.",
        "Correct the key that is named",
    ),
    Code(
        "SW0416",
        "A Secret with a token",
        "It makes no link, or its cost or state cannot be used.",
        "Make a new token: sitectl token create FILE",
    ),
    Code(
        "SW0417",
        "An entry of `skupper-services`",
        "It cannot be used.",
        "Correct it, or: sitectl service create NAME PORT",
    ),
    Code(
        "SW0418",
        "What an object said before stays in force",
        "It is wrong since it was changed. The routers remember what it said before in the Secret "
        "spillway-in-force, so it counts after a restart, too. The text says if it does not: the "
        "Secret cannot be written (SW0443 has the reason), or has no room.",
        "Correct the object as its error says. What it said before counts until it is right, or "
        "deleted",
    ),
    Code(
        "SW0420",
        "Another Service has the name",
        "A Service of the namespace keeps its name until it is handed over.",
        "Annotate it with skupper.io/proxy, or: sitectl service bind NAME",
    ),
    Code(
        "SW0421",
        "A Service that cannot be adopted",
        "It is an ExternalName, headless, without a selector, or of its node alone.",
        "Use another address; docs/kubernetes-services.md",
    ),
    Code(
        "SW0422",
        "A Service with ports that the address lacks",
        "They would lead nowhere.",
        "Give the address these ports as well: skupper.io/port",
    ),
    Code(
        "SW0423",
        "Selectors may not be rewritten",
        '`rewrite-selectors` is "false", and clients of that Service stay here.',
        'Use another address, or set it to "true"',
    ),
    Code(
        "SW0424",
        "Another router serves the Service",
        "Skupper's, or its selector was written by hand.",
        "sitectl migrate --plan; or hand it over with its label",
    ),
    Code(
        "SW0425",
        "Another program keeps putting a selector back",
        "Argo CD or another tool undoes it: it stays as they want it.",
        'ignoreDifferences for /spec/selector and /spec/ports, or rewrite-selectors: "false"',
    ),
    Code(
        "SW0426",
        "An address that no Service can have",
        "Its name is no DNS label, or belongs to the site's own objects.",
        "Use another address",
    ),
    Code(
        "SW0427",
        "No inner port is left",
        "There are more ports of services than can be given, or other sites declare too many.",
        "Withdraw some, or ask for it here: sitectl service create NAME PORT",
    ),
    Code(
        "SW0428",
        "The API refused a change of a Service",
        "Quota, admission or a right; it is tried again.",
        "As its words say",
    ),
    Code(
        "SW0429",
        "What a Service was before cannot be read",
        "spillway.dev/original was changed. The Service stays as it is.",
        "Put selector and target ports back yourself",
    ),
    Code(
        "SW0430",
        "The Kubernetes client is not installed",
        "A namespace cannot be reached.",
        "pip install 'spillway-router[kubernetes]'",
    ),
    Code(
        "SW0431",
        "No configuration of a cluster",
        "There is no kubeconfig or service account, or it cannot be used.",
        "--kubeconfig FILE --context NAME with which kubectl get pods works",
    ),
    Code(
        "SW0432",
        "A kind that may not be read",
        "The router's Role lacks a right; what needs it does not happen.",
        "Add the rule that is named: sitectl -n NAMESPACE update",
    ),
    Code(
        "SW0433",
        "No such workload",
        "The target's Deployment, StatefulSet or Service is not there.",
        "kubectl get deploy,sts,svc; then sitectl service bind again",
    ),
    Code(
        "SW0434",
        "A workload without a pod that has an address",
        "Its selector fits no pod, its pods were not started, or it is scaled to 0.",
        "kubectl get pods --show-labels; kubectl get events",
    ),
    Code(
        "SW0435",
        "No such port of a target",
        "The pods have no port of that name or number.",
        "Name it: --target-port",
    ),
    Code(
        "SW0436",
        "A capacity that cannot be used",
        "The annotation's value is none.",
        'spillway.dev/capacity: "10", "15/s" or "auto"',
    ),
    Code(
        "SW0437",
        "Targets that lead back to the routers",
        "A Service that was adopted is a target of itself.",
        "Bind the Deployment instead",
    ),
    Code(
        "SW0438",
        "More targets than count",
        "Those beyond the limit are left out.",
        "Spread them over more sites, or bind fewer",
    ),
    Code(
        "SW0439",
        "The API server gives no usable answer",
        "It does not answer, answers with errors, refuses the router's token, or shows a "
        "certificate that the router does not trust. What was known then serves.",
        "As the message says: the API server, the network policies to it, or a new pod: sitectl "
        "update --force-restart",
    ),
    Code(
        "SW0440",
        "The site's identity is damaged or missing",
        "The Secret spillway-identity lacks a key, holds another, or was deleted and not put back.",
        "sitectl restore FILE; docs/backup.md",
    ),
    Code(
        "SW0441",
        "A token that makes no link",
        "Its Secret cannot be used.",
        "Make a new one at the other site: sitectl token create FILE",
    ),
    Code(
        "SW0442",
        "A token request waits",
        "There is nothing yet to be written into it, as no address is known. Or its annotation "
        "`spillway.dev/issuer` names another site.",
        "kubectl get svc spillway-router; it is filled in by itself",
    ),
    Code(
        "SW0443",
        "An object that could not be read or written",
        "The API refused, or a permission is missing.",
        "Add the rule that is named: sitectl -n NAMESPACE update",
    ),
    Code(
        "SW0444",
        "A TLS Secret of a service",
        "It cannot be used; what was before stays in use.",
        "Correct tls.crt and tls.key",
    ),
    Code(
        "SW0445",
        "The list of revoked sites is damaged",
        "What was known then stays revoked.",
        "Restore the Secret; docs/kubernetes-trust.md",
    ),
    Code(
        "SW0446",
        "The register of admitted sites",
        "It is damaged, full, or cannot be copied.",
        "As the text says; docs/kubernetes-trust.md",
    ),
    Code(
        "SW0447",
        "A Secret of a link or proxy",
        "It lacks what it should hold.",
        "Correct the key that is named, or link again",
    ),
    Code(
        "SW0448",
        "A token request that cannot be filled",
        "What it asks for cannot be.",
        "Correct its labels and annotations",
    ),
    Code(
        "SW0449",
        "The owners of names are damaged",
        "The ConfigMap spillway-owners cannot be read, or is of another site. What a router knew "
        "before counts; what it learns is not kept, so a new pod does not know it.",
        "Restore the ConfigMap, or delete it and the router writes what it knows: "
        "kubectl delete configmap spillway-owners",
    ),
    Code(
        "SW0450",
        "An ingress without a domain",
        "Sites are told apart by name there: others cannot link here.",
        "Set ingress-host to a domain that leads to the ingress controller",
    ),
    Code(
        "SW0451",
        "Routes in a cluster that has none",
        "Other sites cannot link here.",
        "Set ingress to loadbalancer, nodeport, nginx-ingress-v1 or none",
    ),
    Code(
        "SW0452",
        "A workload without pods",
        "No sidecar can go into it.",
        "Name a Deployment, StatefulSet, DaemonSet, Job or Pod",
    ),
    Code(
        "SW0453",
        "A Job with a plain sidecar",
        "It would never end.",
        "Use a native sidecar (Kubernetes 1.29)",
    ),
    Code(
        "SW0454",
        "A sidecar in a pod with the host's network",
        "It would listen for the whole node.",
        "Take hostNetwork out",
    ),
    Code(
        "SW0455",
        "How many services a sidecar has",
        "None, or too many.",
        "Name some: --service NAME",
    ),
    Code(
        "SW0456",
        "A port that is taken in the pod",
        "The application and the sidecar would both listen there.",
        "Have one of them listen elsewhere",
    ),
    Code(
        "SW0457",
        "The controller could not make a site's objects",
        "A permission is missing, or a value is refused.",
        "As the text says; docs/kubernetes-deploy.md",
    ),
    Code(
        "SW0460",
        "No router of the site answers",
        "The picture is of the objects alone.",
        "kubectl get pods; sitectl -n NAMESPACE check",
    ),
    Code(
        "SW0461",
        "The API server",
        "Whether it answers.",
        "Look at the kubeconfig, its context and the network",
    ),
    Code(
        "SW0462",
        "The namespace",
        "Whether it is there, and is not being deleted.",
        "kubectl create namespace NAME; if it is being deleted: kubectl describe namespace NAME",
    ),
    Code(
        "SW0463",
        "A right of yours",
        "What you asked for needs a right that you do not have.",
        "Let an administrator add the rule that is named",
    ),
    Code(
        "SW0464",
        "Istio",
        "The namespace's mesh would stand between routers and what they serve.",
        "As the text says; docs/kubernetes-start.md",
    ),
    Code(
        "SW0465",
        "Skupper beside",
        "Services that it has stay with it until they are moved.",
        "sitectl migrate --plan",
    ),
    Code(
        "SW0466",
        "An object of the site is missing, or is not as its ConfigMap says",
        "It was deleted, or was never made. Or a key of ConfigMap `skupper-site` was edited, or "
        "the object itself: `update` makes the object as the ConfigMap says.",
        "sitectl -n NAMESPACE update",
    ),
    Code(
        "SW0467",
        "A right of the router",
        "Its Role is not what this version makes.",
        "sitectl -n NAMESPACE update",
    ),
    Code(
        "SW0468",
        "The router's pods",
        "Fewer are ready than wanted, or one of an update does not get ready.",
        "kubectl describe pod -l app.kubernetes.io/name=spillway-router",
    ),
    Code(
        "SW0469",
        "The identity in its Secret",
        "It is not there yet, or damaged.",
        "sitectl restore FILE; docs/backup.md",
    ),
    Code(
        "SW0470",
        "The site's ConfigMap",
        "Without `skupper-site` the namespace is no site.",
        "sitectl -n NAMESPACE init",
    ),
    Code(
        "SW0471",
        "The users of the console",
        "Secret `skupper-console-users` cannot be read, made or copied: no user logs in, or by "
        "what it had before.",
        "kubectl -n NAMESPACE describe secret skupper-console-users",
    ),
    Code(
        "SW0472",
        "OpenShift is not asked who looks at the console",
        "The site wants it, but the cluster has no OAuth server of OpenShift, or the router runs "
        "in no pod: users and passwords are asked for.",
        "Set console-authentication to internal, or run the site on OpenShift",
    ),
    Code(
        "SW0473",
        "Another program holds the Lease",
        "A program without a Pod of a router here holds and renews Lease `spillway-router`, "
        "perhaps a router of `sitectl run` outside the cluster: no router in a pod writes "
        "Services, Events or status; traffic goes on.",
        "End what holds it, then: kubectl delete lease spillway-router",
    ),
)
