"""SW02xx and SW03xx: listeners and services. SW0401 to SW0404: the network."""

from typing import Final

from router.model.codes.code import Code

SERVICES: Final = (
    Code(
        "SW0201",
        "The link port is taken",
        "Links of other sites cannot be accepted: the address cannot be bound. A router that "
        "starts tries for 5 s, since an outgoing connection of this host may hold the port for a "
        "moment, and then ends; one that runs tries each second.",
        "Free the port, or change bindPort in the site's document",
    ),
    Code(
        "SW0202",
        "A service has no listener",
        "Clients of this site cannot reach the service here: its address is taken, or TLS lacks. "
        "Other sites and services are not concerned.",
        "Free the port, or: sitectl service set NAME:PORT --listen [IP:]PORT",
    ),
    Code(
        "SW0207",
        "A TLS credential that was replaced by a bad one",
        "The new files cannot be used. The old ones serve on until they expire.",
        "Correct the files, as the text says; sitectl service set NAME --tls-cert FOLDER",
    ),
    Code(
        "SW0208",
        "The console is not served",
        "Its address cannot be bound, or it has no certificate. Traffic is not concerned; it is "
        "tried again every two seconds.",
        "Free the port, or: sitectl update --console-bind 127.0.0.1:8011",
    ),
    Code(
        "SW0209",
        "No user can log in to the console",
        "It asks for a login and has no user whose password counts: there is no file, it is empty, "
        "or others may read it.",
        "sitectl update --enable-console --console-user admin",
    ),
    Code(
        "SW0210",
        "A user who cannot log in to the console",
        "The password of this user does not count: its file is empty, too long, no regular file, "
        "or others may read it. All other users log in.",
        "As the text says; another password: sitectl update --enable-console --console-user NAME",
    ),
    Code(
        "SW0301",
        "Targets of a service that no site declares",
        "A connector attaches targets to a service, and no site says that there is such a service, "
        "or none whose word counts here: the text names a site that is barred or away, or one that "
        "`importFrom` of this site does not name.",
        "As the text says; if no other site should declare it: sitectl service create NAME PORT",
    ),
    Code(
        "SW0302",
        "A target without a port",
        "The service has more ports than the connector's target.",
        "Give one port for each port of the service, in its order",
    ),
    Code(
        "SW0303",
        "A service that would call itself",
        "A target of the service is the address that this site would listen on; it does not listen "
        "there.",
        "sitectl service set NAME:PORT --listen 127.0.0.2:PORT, or move the target",
    ),
    Code(
        "SW0304",
        "A service that is declared differently by several sites",
        "A site's own declaration counts there and at the edges that are attached to it; "
        "everywhere else that of the owner of the name, the site whose declaration was there "
        "first. A site that declares another protocol than the one that counts at a client's site "
        "gets no request from there: `why` excludes it.",
        "Make the others alike, or remove them",
    ),
    Code(
        "SW0305",
        "Too much to tell",
        "This site has more services than other sites are shown; those beyond are for this site "
        "alone.",
        "Remove services that are not used: sitectl service status",
    ),
    Code(
        "SW0306",
        "The PROXY protocol on a service that is not tcp",
        "Targets receive the client's address by X-Forwarded-For instead.",
        "Remove proxyProtocol from the connector",
    ),
    Code(
        "SW0307",
        "A health path on a tcp service",
        "Only http and http2 targets are asked for a path; these are checked by connecting.",
        "Remove the path from the connector's health",
    ),
    Code(
        "SW0308",
        "A policy that this version does not know",
        "The service is declared with a policy of another version. Here `fill` is used.",
        "Use one version at all sites, or another policy: sitectl service set NAME --policy fill",
    ),
    Code(
        "SW0309",
        "A service without a ready target",
        "No site that is reached and may serve it has a ready target: every request is refused "
        "with `no-route`. It is a problem at each site whose clients asked for it in the last "
        "minute and, if it has targets at all, where it is declared or has some of them. The text "
        "names the sites that have or had targets, and rules that leave out ready ones.",
        "See why: sitectl service status NAME; what a target said is under ERROR of its own site",
    ),
    Code(
        "SW0310",
        "More services than an edge router holds",
        "Those beyond have no other site here.",
        "Name the services that are used here, or: routerMode: interior",
    ),
    Code(
        "SW0311",
        "A change of the site waits for its router's next start",
        "The site's document gives it another name, routerMode or admin address. A running router "
        "keeps the one that it started with.",
        "sitectl stop, then sitectl start",
    ),
    Code(
        "SW0312",
        "Weights for names that no site has",
        "Sites without a weight get only what the others cannot take.",
        "sitectl network status; then sitectl service set NAME --weight SITE=N",
    ),
    Code(
        "SW0313",
        "A policy for a service that no site declares",
        "It has no effect.",
        "sitectl service create NAME PORT, or remove the policy",
    ),
    Code(
        "SW0314",
        "Weights for sites without a ready target",
        "The policy `split` gives a share to a site that has no ready target of the service, that "
        "is not reached, that a rule keeps from serving this site, or that may not see the "
        "service. The other sites with a weight get that share, then those without one.",
        "There: sitectl service status NAME; without targets, sitectl service bind NAME; or change "
        "the weights: sitectl service set NAME --weight SITE=N",
    ),
    Code(
        "SW0317",
        "A learned capacity on a tcp service",
        "`auto` is learned from the latency of answers, which tcp has none of. It counts as "
        "no capacity configured.",
        "State a number of connections: sitectl service bind … --capacity N",
    ),
    Code(
        "SW0318",
        "Rules that name what two sites are called",
        "A name that two sites bear stands for neither.",
        "Use the id: sitectl network status",
    ),
    Code(
        "SW0319",
        "Terms of links that find no room",
        "The network allows nothing to the sites that are named.",
        "Let sites in on the same terms, or on fewer patterns",
    ),
    Code(
        "SW0320",
        "More listeners than a site may have here",
        "Listeners have budgets, so that no site can use up the descriptors of another: 64 ports "
        "for each other site (listenersPerSite), a quarter of the open files for all, this site's "
        "own services first, and no port below 1024 for another site's service unless a Listener "
        "here names it. Of services that no document here names, a router has room for 1,024 "
        "ports of one other site and 2,048 of all. The text names the site, the ports and the "
        "bound that they are beyond.",
        "As the text says: a Listener for the port, listenersPerSite, or: sitectl revoke-access "
        "--link NAME",
    ),
    Code(
        "SW0321",
        "Several services declare one port",
        "A port has one listener here. This site's own service gets it, of several own ones the "
        "one that had it last. Else it goes to the service that had it last, then the one whose "
        "owner this site has known for longer, then the one of the site with the lower id. The "
        "port of a service that is away stays free for it until its owner withdraws the name. The "
        "text names both services and both sites.",
        "Give one of them another port here: sitectl service set NAME:PORT --listen PORT. Or end "
        "the access of a site that should not be here, at the site that let it in: sitectl "
        "revoke-access --link NAME",
    ),
    Code(
        "SW0330",
        "Messages that one end of a link refuses",
        "Two routers do not agree on what valid HTTP over a link is, so requests between them fail "
        "(502, request-refused or response-refused) or go to another site. No client and no target "
        "is at fault: one of the routers has a bug, runs on a Python with one, or lies. Requests "
        "refused here count for the neighbor whose link brought them; where it says that another "
        "site sent them, the text says so, and nothing proves it.",
        "Compare the releases: sitectl version at both sites, then update the older one",
    ),
    Code(
        "SW0331",
        "A service without a configured capacity",
        "The service has targets here and at other sites, and nothing says how much one of the "
        "targets here takes. Such a site is never full: requests spread over all sites, by "
        "requests in flight per target and path cost, instead of filling this site first.",
        "sitectl service set NAME --capacity N: how many requests each target takes at once",
    ),
    Code(
        "SW0332",
        "Connections of a removed service, or of its former protocol, go on",
        "The service was deleted, or no site declares it any more. Its listener is closed; what "
        "was under way goes on until either side closes it, or until it was idle for as long as "
        "the service allowed. A service of the same name and port that is made again has these "
        "connections in its figures, and they hold slots of its targets. Likewise a service that "
        "has another protocol now: connections of before go on as they began. While a worker does "
        "not answer, the site still declares a service that was removed, and its listeners stay. "
        "A stop waits for such connections, too, as long as the site's drain grace says; meanwhile "
        "the site takes nothing new.",
        "To end them sooner: sitectl stop, then sitectl start",
    ),
    Code(
        "SW0333",
        "A target that comes and goes",
        "It was ready and ceased to be four times or more in the last ten minutes. Each time some "
        "requests fail or wait before others take them.",
        "sitectl events --since 10m --service NAME shows when it went down, and why",
    ),
    Code(
        "SW0334",
        "A site to which requests fail",
        "Requests of a service that this router sent to another site failed several times in a "
        "row, or most of the last ones did. The site is ejected: it gets one request from time to "
        "time, its probe, and returns once one is answered. If the other sites cannot spare it, it "
        "is in reserve: it gets requests while no other site has room.",
        "sitectl why NAME shows the reason; sitectl ping SITE whether the way there is good; the "
        "rest is for the operator of that site",
    ),
    Code(
        "SW0335",
        "No target here is ready, and other sites serve the requests",
        "Connectors of this site name targets of the service, and none of them is ready. Other "
        "sites have ready ones and serve its requests: clients notice the distance, not the fault.",
        "See why: sitectl service status NAME; what a target said is under ERROR",
    ),
    Code(
        "SW0336",
        "Some targets here are not ready",
        "The service has fewer ready targets here than connectors of this site name. The others "
        "serve its requests; this site has less capacity than configured.",
        "See why: sitectl service status NAME; what a target said is under ERROR",
    ),
    Code(
        "SW0337",
        "Requests are turned away because every site that may serve them is full",
        "No site with a ready target of the service has a free slot, of those that may serve it. "
        "Requests that find the queue of this site full, or wait in it for longer than "
        "`queueWait`, get 503 with Retry-After: more than 5 % of all in the last seconds. Requests "
        "that fail otherwise, as at a target that answers 5xx, are counted apart. The text "
        "names sites whose targets are not ready, sites with room that a rule or the policy "
        "`failover` leaves out, and rates that are used up; the next step has the command for "
        "each. Once there is room again it goes within seconds.",
        "Add targets, or raise the capacity or the rate of those that can take more: "
        "sitectl why NAME",
    ),
    Code(
        "SW0338",
        "Requests of a service fail",
        "More than 5 % of the requests that clients of this site sent in the last seconds were "
        "answered 5xx or not at all. The text says by whom: a target that answers 500 stays in "
        "use, unless its connector says `--eject-on 5xx`. A gRPC status counts as the HTTP status "
        "that means the same, UNAVAILABLE as 503.",
        "sitectl why NAME --failed; sitectl service status NAME",
    ),
    Code(
        "SW0339",
        "Requests wait because every site that may serve them is full",
        "No site with a ready target of the service has a free slot, of those that may serve it. "
        "Requests wait at this site for one: they are served late, and turned away after "
        "`queueWait`. The text names sites as that of SW0337 does.",
        "Add targets, or raise the capacity of those that can take more: sitectl why NAME",
    ),
    Code(
        "SW0340",
        "A name that several sites may own",
        "This site heard of all their declarations at once and cannot tell which was first. The "
        "nearest counts here; other sites may have decided otherwise.",
        "Choose: sitectl service adopt NAME --from SITE; or make the declarations alike",
    ),
    Code(
        "SW0341",
        "A name whose owner is silent",
        "Another site declares the name differently. That counts 10 s after the owner withdrew its "
        "own declaration, which the owner cannot do while it is out of reach; on hosts also not "
        "while one of its routers is, which may declare the name.",
        "If the owner will not come back: sitectl service adopt NAME --from SITE",
    ),
    Code(
        "SW0342",
        "A site is barred",
        "Another site revoked its access, or its certificate ended there, and tells all sites. "
        "Where no other site lets it in, its declarations and targets count for nothing.",
        "To let it in again: sitectl token create FILE at the site that bars it",
    ),
    Code(
        "SW0343",
        "A service that an import rule closes here",
        "A declaration of another site counts only if `importFrom` names that site. Here it names "
        "other sites for the service, and none that declares it: the service has no listener, so "
        "clients of this site are refused, and its targets here are not used. A rule that names no "
        "site (`none`) is a choice and no problem.",
        "Name the site that declares it, too: sitectl service set NAME --import-from SITE,SITE; if "
        "no client here should reach it: sitectl service set NAME --import-from none",
    ),
    Code(
        "SW0345",
        "A name in a rule means no site yet",
        "No known site bears it, or several do. The name matches no site; it is resolved, once and "
        "for good, when exactly one known site bears it.",
        "Write NAME@ID in the rule, with the whole id: sitectl network status -o json",
    ),
    Code(
        "SW0346",
        "Another site bears a name that rules use",
        "Rules mean the site that bore the name when they were given, not the one that calls "
        "itself so now.",
        "If the other one is meant, write NAME@ID of it in the rule",
    ),
    Code(
        "SW0347",
        "A site newly offers a service of another",
        "It has targets of a service that another site declares, and gets requests. This site "
        "first saw them less than an hour ago, also if it was new itself and the other one away "
        "before. No approval was needed. A site that was deleted and created again is another "
        "site. The note goes after an hour, or once the owner of the service grants the offer.",
        "If it is meant, at the owner: sitectl service grant NAME --site SITE --offer. If it "
        "should have none, name the sites that may: sitectl service set NAME --import-from SITE; "
        "or revoke its access",
    ),
    Code(
        "SW0348",
        "A target that accepts connections and answers nothing",
        "Of three or more tcp connections in a row to the target clients got no byte: each sent "
        "something, waited for 0.2 s or longer, and was ended by the client or its idle limit. One "
        "whose client closed it counts once the time-out `halfClosed` of the service is over. The "
        "target, or another one of the service here, has answered since the router started: a "
        "server that never speaks is not meant. The target stays ready, and requests still go to "
        "it; the note goes with the first byte that it sends.",
        "See whether the server hangs; sitectl service status NAME has the target under ERROR",
    ),
    Code(
        "SW0349",
        "A target that requests wait for, and that completes none",
        "The target is ready by its checks and has completed no request for 10 s or longer, ten "
        "times as long as nine of ten requests of the service took lately; those that clients gave "
        "up do not count. If none has ended since the router started, it is half of the time-out "
        "`response`, at least 10 s. Either every slot of it is taken: the site looks full, and its "
        "requests spill or wait. Or it has free slots, or no capacity, and owes an answer to three "
        "or more requests of http, for twice as long as the longest of late: more requests go to "
        "it. The time-outs `response` and `idle` end them, and failures in a row eject the target. "
        "A target that sends a part of any answer meanwhile is not meant: downloads and streams on "
        "which bytes come are no fault. Nor are streams on which none come, if all requests of the "
        "target have the head of their answer, nor requests that clients still send while the "
        "target takes what they send.",
        "See whether the server hangs. If so, restart it, or shorten the time-out: sitectl service "
        "set NAME --timeout response=5s",
    ),
    Code(
        "SW0350",
        "A strict site shares nothing",
        "In strict mode a site shares only what a rule or a grant allows. This site has services, "
        "no export rule and no grant, so no other site can use them.",
        "sitectl service grant NAME --site SITE --call; if no site should use them: "
        "sitectl service set '*' --export-to none",
    ),
    Code(
        "SW0351",
        "An offer that its owner has not approved",
        "Another site has targets of a service. This strict site uses them only once the owner of "
        "the service grants that site to offer it.",
        "At the owner: sitectl service grant NAME --site SITE --offer",
    ),
    Code(
        "SW0352",
        "Clients leave before they are answered",
        "The clients of more than half of the requests of the last seconds closed their "
        "connection, or cancelled the request, before an answer began. These count as "
        "`client-gone`, not as failed. Often the targets take longer than the clients wait.",
        "sitectl service status NAME -v; sitectl why NAME --last 20. Speed the targets up, lower "
        "their capacity, or have the clients wait longer",
    ),
    Code(
        "SW0353",
        "A service is drained here",
        "By `sitectl service drain` or `sitectl site drain`, or a Policy with `takes`, this site "
        "takes only a share of its capacity, or nothing new. What is under way goes on.",
        "Run the command that ends the drain; the note names it. Of one service: sitectl service "
        "drain NAME --to 100%. Of all services: sitectl site drain --to 100%. If both hold, run "
        "both",
    ),
    Code(
        "SW0354",
        "A target's name is not resolved any more",
        "No name server answers for it, or the name is gone. Connections go on to the addresses of "
        "before, which may be those of something else one day.",
        "See what the name server says: getent ahosts NAME; correct the name, or the name server",
    ),
    Code(
        "SW0355",
        "A reserve or share has no effect",
        "`reserveForOwn` and `maxShare` are shares of slots, and not all targets of the service at "
        "this site have configured or learned slots. A rate has none.",
        "Configure slots: sitectl service set NAME --capacity N; or withdraw what has no effect: "
        "sitectl service set NAME --reserve-for-own none --max-share none",
    ),
    Code(
        "SW0356",
        "A service that cannot share a listener",
        "A Listener document names several services (`priority` or `weighted`), and one of them is "
        "not `tcp` with one port, or no site declares it. It gets no connection there.",
        "Declare the service as tcp with one port, or name another one in the Listener",
    ),
    Code(
        "SW0357",
        "Sheddable requests are shed",
        "More than 5 % of the requests of the last seconds were sheddable and got 503 with "
        "`Spillway-Error: shed`, so that others were served. You configured it by `--sheddable`: "
        "it is no failure, and no alert counts it.",
        "To serve them too, add targets or raise the capacity: sitectl why NAME --sheddable",
    ),
    Code(
        "SW0358",
        "A target fails requests",
        "A ready target of this site answered 5xx to 3 or more requests within the last minute, or "
        "gave them no whole answer (it reset, tore or delayed it), and to more than 5 % of its "
        "requests since the first of them. A 500 or 501 may be the client's doing, so the target "
        "stays in use unless the service has `--eject-on 5xx`; 502, 503, 504 and no whole answer "
        "eject it where others can serve, unless it has `--eject-after 0`. The note goes a minute "
        "after the last one, or as soon as they are 5 % or less.",
        "Compare the target with the others, under ERROR: sitectl service status NAME. If it fails "
        "all of them, it may speak another protocol, or TLS: as the text says. To have it "
        "ejected: sitectl service set NAME --eject-after 5, and --eject-on 5xx for any 5xx",
    ),
    Code(
        "SW0359",
        "A service has as many clients as its limit of connections",
        "Its listener accepts nothing until a client leaves; the kernel holds up to 1,024 clients, "
        "connected by their own account, that get no answer meanwhile. The limit holds for each "
        "site where clients enter, and there for each worker, which is named.",
        "Raise limits.connections in the Service document, at the site that declares the service; "
        "or see why clients keep connections open that they do not use",
    ),
    Code(
        "SW0360",
        "Client connections are reset",
        "One client address may have eight times as many connections as there are free places, and "
        "at one service `limits.connectionsPerSource`: as places get scarce, addresses with most "
        "are refused first, and others still find one. Clients behind one proxy have one address. "
        "The places are `limits.connections` of the service, and half of the router's open files "
        "for all services. The note goes a minute after the last one.",
        "Raise the limit of open files: LimitNOFILE= of the unit, or ulimit -n, and start the "
        "router again; or limits.connections and limits.connectionsPerSource of the service",
    ),
    Code(
        "SW0361",
        "Requests wait for an answer of another site, which answers none",
        "Targets of that site have had three or more requests of http of clients of this site, and "
        "no answer from there has begun for 10 s or longer, ten times as long as nine of ten "
        "requests of the service took lately and twice as long as the longest of late, and as nine "
        "of ten of any other site; if none has ended, half of the time-out `response`. The site "
        "gets more requests: it takes them, so this site cannot tell a target that hangs from one "
        "that has long work. The time-outs `response` and `idle` end them, and failures in a row "
        "eject the site.",
        "At that site: sitectl service status NAME -v. SW0349 there names the target",
    ),
)

NETWORK: Final = (
    Code(
        "SW0401",
        "A copy of this site runs elsewhere",
        "Two routers have one identity: a state directory was copied or a backup restored. The "
        "later one is kept out. The other one reports the problem until it has had no sign of the "
        "later one for 3 min; the text has the time of the last sign.",
        "Stop one of the two; for another site: sitectl delete, then sitectl init",
    ),
    Code(
        "SW0402",
        "A certificate ends soon",
        "It should have been renewed by itself long before, or it is one that only you can renew.",
        "As the text says: sitectl link renew NAME, a new token, or new files",
    ),
    Code(
        "SW0403",
        "Sites of one name",
        "They are shown with the begin of their ids; rules and weights by that name mean none.",
        "Give all but one another name: sitectl delete, then sitectl init NAME",
    ),
    Code(
        "SW0404",
        "A link was refused",
        "The other site does not let this one in: revoked, expired, or not what it issued. Or the "
        "proxy that the link is dialed through refuses to connect.",
        "sitectl link delete NAME, then link with a new token. If it is the proxy: "
        "sitectl link set NAME --proxy URL",
    ),
)
