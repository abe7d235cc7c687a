"""SW0603 and SW066x to SW069x: the router itself, its certificates and its neighbors."""

from typing import Final

from router.model.codes.code import Code

CODES: Final = (
    Code(
        "SW0603",
        "Memory is short",
        "New requests are refused here until some is free again; other sites take them.",
        "Give it more (memoryLimit, the pod's limit), or find who does not read: sitectl status",
    ),
    Code(
        "SW0660",
        "A link waits for a clock",
        "A certificate is not valid yet, or not any more, by the clock of one of the two hosts.",
        "Set that clock right (chronyc tracking); the link comes up by itself",
    ),
    Code(
        "SW0661",
        "This host's clock and the site's CA do not agree",
        "Sites with a right clock may not link here.",
        "Set this host's clock right; see sitectl ca status",
    ),
    Code(
        "SW0662",
        "What must be remembered cannot be written",
        "The router serves, and would start again with what it knew before.",
        "Free space on that disk and look at its permissions: df -h, df -i, ls -ld",
    ),
    Code(
        "SW0663",
        "Lines of the log are lost",
        "The disk takes none.",
        "Free space on that disk and look at its permissions",
    ),
    Code(
        "SW0664",
        "This site's own certificate was not renewed",
        "Other sites will refuse it when it ends.",
        "Free space on that disk and look at its permissions; it is tried every minute",
    ),
    Code(
        "SW0665",
        "A neighbor runs twice with one identity",
        "The later copy is kept out; the text says where both run.",
        "Stop one of the two; see docs/backup.md",
    ),
    Code(
        "SW0666",
        "A secret of this site cannot be read",
        "Without the list of revoked sites no site may link here; of a CA the router goes on with "
        "what it has read before. Links that are up stay.",
        "Restore the file, or its owner and mode; it is read again within seconds",
    ),
    Code(
        "SW0670",
        "A link's certificate was not renewed",
        "The site that issues it did not answer, or refused, or the two clocks differ.",
        "Look at that site, then: sitectl link renew NAME",
    ),
    Code(
        "SW0672",
        "A site says different things to different sites",
        "It signed two different things with one number: it runs twice, or it lies. All sites use "
        "the same one of the two.",
        "Stop the copy, or end its access where it is linked: sitectl link delete NAME",
    ),
    Code(
        "SW0673",
        "A link that flaps",
        "It went down so often that nothing is sent over it before it has stayed up for a while: 1 "
        "to 30 s, and 2 s at most where no other way leads there. Either end holds it back by "
        "itself, and the other one says so as well.",
        "See why it goes down: sitectl events --code link-down",
    ),
    Code(
        "SW0674",
        "A site reports more of itself than is kept of one site",
        "Its routers together pass a limit on services, bytes or routers (docs/limits.md). What "
        "came first stays in use, the rest is ignored here; other sites are not affected.",
        "At that site delete services that are not used, or end its access: sitectl revoke-access",
    ),
    Code(
        "SW0675",
        "A link is down",
        "This site dials the link and it is not up. The router tries again, at most half a minute "
        "apart. Requests take other ways meanwhile, if there are any. With workers, each has a "
        "connection: while only some are connected, the text names the others and the link carries "
        "requests.",
        "sitectl link status NAME shows why; is the router of the other site running?",
    ),
    Code(
        "SW0676",
        "An incoming link is down",
        "Another site dials the link, and its last session ended other than by `link delete`, "
        "`delete` of that site or `revoke-access`. Only that site can dial it again; requests take "
        "other ways meanwhile, if there are any. This site forgets the link after ten minutes.",
        "At the other site: sitectl status; a site that is switched off needs nothing",
    ),
    Code(
        "SW0677",
        "A link is silent",
        "The link is up, but nothing was heard over it for about two seconds: the other router "
        "hangs, or the network loses everything. The router drops the link after three seconds "
        "(a second or two later on a way of more than 200 ms); requests wait until then.",
        "See whether the router of the other site runs and the network works",
    ),
    Code(
        "SW0678",
        "Routers of one site do not hear each other",
        "They divide each configured capacity, and one that gains waits for the others' word. "
        "Without a link between them, as behind a NetworkPolicy that forbids it, the first router "
        "keeps all of it, and one that starts later uses nothing: its clients go to other sites or "
        "are refused. Of routers that start at one moment, none may use any.",
        "Let the routers reach each other's link port: kubectl get networkpolicies",
    ),
    Code(
        "SW0679",
        "A link leads to a site that was deleted",
        "The site said so before it went. The router goes on to dial, in case the site comes back "
        "out of a backup.",
        "sitectl link delete NAME",
    ),
    Code(
        "SW0680",
        "The replacement of the CA waits",
        "Sites have not taken the new CA, or still have certificates of the old one.",
        "Start and update those sites, or do not wait: sitectl ca rotate --now",
    ),
    Code(
        "SW0681",
        "The CA cannot be replaced",
        "Its files cannot be written.",
        "Free space on that disk and look at its permissions",
    ),
    Code(
        "SW0682",
        "A neighbor brings more of the sites behind it than is kept",
        "All that one neighbor tells of other sites passes a limit on services, bytes or routers "
        "(docs/limits.md). A member can invent sites, each with a key of its own, so limits of one "
        "site do not bound it. What came first stays in use, the rest is ignored here; what the "
        "neighbor tells of itself, and what other neighbors bring, is not affected.",
        "See the sites behind it: sitectl network status. End the access of the site that invents "
        "them: sitectl revoke-access --link NAME",
    ),
    Code(
        "SW0683",
        "Sites that one token let in report more than is kept of one token",
        "What all sites that are linked by one token report of their services passes a limit "
        "(docs/limits.md, LSA_NEIGHBOUR_NAMES_MAX and the next). Who holds a token for several "
        "uses can link as many sites as there are places, so limits of one site do not bound it. "
        "What came first stays in use, the rest is ignored here.",
        "Link some of these sites again, each with a token of its own: sitectl token create FILE. "
        "Who came by which token: sitectl link access. To end the access of one: sitectl "
        "revoke-access --link NAME",
    ),
    Code(
        "SW0684",
        "A router of this site does not serve",
        "The site has several routers, and one of them is not ready, is not linked to this one, or "
        "is not made by the cluster, for 15 s by now. The others serve; its part of each capacity "
        "is unused on hosts, and divided among the others in a namespace.",
        "As the text says: kubectl describe pod NAME, or sitectl status on its host",
    ),
    Code(
        "SW0690",
        "A worker does not serve",
        "One of the processes of the router ended or cannot start. The others serve; its share of "
        "each capacity is not used before it is back.",
        "Look why it ends: run/workers/NUMBER/router.log in the site's directory; of a unit or a "
        "container in its own log: journalctl -u UNIT, podman logs CONTAINER",
    ),
    Code(
        "SW0691",
        "A worker does not answer",
        "One of the processes of the router has not answered the first one for 4 s, so it hangs. "
        "Its sockets stay open: the kernel goes on giving it its share of new connections, which "
        "wait, as do the requests that it has under way. After 10 s the router ends it and starts "
        "it again; all its connections are reset then.",
        "If it comes back, find out what stopped it: a debugger, a signal, a frozen cgroup, a "
        "disk; its log is run/workers/NUMBER/router.log in the site's directory",
    ),
    Code(
        "SW0692",
        "An error of the router itself",
        "Code of the router failed in a way that it did not expect. It goes on serving; what that "
        "code was to do may be missing. The log has the whole error. Shown until it starts again.",
        "sitectl debug dump FILE, for a report; then sitectl stop, then sitectl start",
    ),
    Code(
        "SW0693",
        "Clients wait for a connection",
        "The router has as many connections as its limit of open files allows: client connections "
        "get at most half of it, since each may need one to a target, and the last are for the "
        "operator. Listeners accept nothing; the kernel holds up to 1,024 clients at each, "
        "connected by their own account, until another one leaves. Each worker has a limit of its "
        "own, and is named.",
        "Raise the limit: LimitNOFILE= of the unit, or ulimit -n, and start the router again; or "
        "run more workers",
    ),
    Code(
        "SW0694",
        "A router has no room for another link",
        "A router has at most 256 neighbors, edges and the other routers of its site included "
        "(docs/limits.md, `ADJACENCIES_MAX`). A link beyond that is up, and nothing is sent over "
        "it. Both ends report it. Once another link of the full router is gone, the link that has "
        "waited longest is used. Among those that one token let in, and the routers of one other "
        "site, the last makes room for a neighbor of which there are fewer.",
        "At the full site delete a link that is not needed. Or link the other site to another one",
    ),
    Code(
        "SW0695",
        "Connections to targets cannot be opened",
        "A dial of the last 10 s had no descriptor or no local port. Clients of this site are "
        "refused then (503 overloaded, tcp: a reset), and other sites hear that this one is full. "
        "Linux has 28,232 local ports for each address and port of a target, and keeps one for a "
        "minute after the router closed its connection first, so that is the most tcp connections "
        "a minute to one target. Each worker is named.",
        "For more files: LimitNOFILE= of the unit, or ulimit -n. For more local ports: "
        "net.ipv4.ip_local_port_range, or another target",
    ),
)
