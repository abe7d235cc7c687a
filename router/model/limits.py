"""Every bound of the product, with its reason. Units are in the names; a bare number is a count."""

KIB = 1024
MIB = 1024 * KIB

# net: one turn of the data path.
TURN_EVENTS_MAX = 256  # Keeps one turn fair between sockets.
TURN_BATCH_EVENTS = 64  # Events per batch of a turn.
TURN_S_MAX = 0.02  # No batch begins later: the admin API waits for the turn to end.
# A full read fits the payload of a full frame: one byte more would need a second frame. Never 128
# KiB or more into new bytes: malloc would mmap each time.
READ_BYTES = 64 * KIB - 8
TLS_READ_BYTES = 256 * KIB + 16 * 22  # One write of a busy neighbor: 16 full records.
TLS_READ_BYTES_MIN = 16 * KIB  # First. Doubles while it takes far less than TURN_READ_S_MAX.
# One connection cannot use the whole turn. One call, if the last read was a full one.
TURN_READ_BYTES_MAX = 4 * READ_BYTES
# Nor can a few bytes that cost much time: small frames, signatures. All lanes of one neighbor over
# several links, or of all sites admitted by one token, share this time; so do all lanes whose
# neighbor is not known yet, and all TLS handshakes of incoming connections.
TURN_READ_S_MAX = 0.004
READ_SHORT_S = TURN_READ_S_MAX / 64  # A lane's read this short is not counted; of many lanes less.
SPLICE_AFTER_READS = 4  # After so many full reads in a row the kernel moves bytes between sockets,
SPLICE_SMALL_BYTES, SPLICE_SMALL_MAX = 16 * KIB, 4  # until so many moves in a row were this small.
PIPE_BYTES = MIB  # Moved at a time; a pipe holds that much for a peer that does not keep up.
PIPES_MAX = 16  # Of the 64 MiB of pipes that Linux grants a user: several routers may run.
SETTLE_ROUNDS_MAX = 8  # Rounds of late deliveries and turn-end calls before other work gets a turn.
ACCEPTS_PER_TURN_MAX = 64
ACCEPT_ERRORS_PER_TURN_MAX = 3  # Then the listener pauses.
ACCEPT_REST_S = 1.0  # After those errors, or when no descriptor is left.
NO_DIAL_SHOWN_S = 10.0  # Shown as a problem after the last dial without a descriptor or port.
WRITE_PARTS_MAX = 256  # Gathered in one system call; the kernel takes up to 1,024.
WRITE_HIGH_BYTES = 64 * KIB  # Above it `send` refuses until the buffer is empty.
# The kernel's buffers for a connection count against a pod's memory. When thousands of connections
# hold MiBs, it runs short and delays every connection of the machine, links included.
CLIENT_UNSENT_BYTES = 64 * KIB  # To a client, besides sent data not yet acknowledged.
# Unread data of a target; the kernel doubles it for its own part. A smaller buffer slows bulk.
TARGET_UNREAD_BYTES = 256 * KIB
# Targets with a longer round trip may use as much as the kernel allows.
TARGET_FAR_S = 0.002
TARGETS_FAR_MAX = 1024  # Distant target addresses remembered.
CONNECT_TIMEOUT_LOCAL_S = 1.5  # The kernel resends a SYN after 1 s: one may be lost.
# TCP keepalive of every connection: detects a peer that vanished silently in 2 minutes.
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 60, 10, 6
KEEPALIVE_AFTER_S = 30.0  # Dialed connections that end sooner do not set it: four calls each.
RESOLVE_TIMEOUT_S = 5.0
RESOLVE_THREADS = 2
NAME_THREADS = 2  # For names of peers, webhooks and API servers, which no data waits for.
FILE_THREADS = 2  # For tokens, users, old events. An idle thread takes 17 KiB, and maps 68 MiB.
RESOLVE_FRESH_S = 2.0  # An answer this young is reused without asking.
# A dial waits this long for a newer answer, then uses the last good one: less than any connect_s.
RESOLVE_STALE_AFTER_S = 0.02
ADDRESS_SHUNNED_S = 10.0  # An address that failed to connect is tried last for this long.
RESOLVE_RETRY_MIN_S, RESOLVE_RETRY_MAX_S = 0.5, 2.0  # A failed name is asked again, doubling.
UNRESOLVED_TOLD_S = 5.0  # A name server may restart: shorter failures are not reported.
RESOLVE_NAMES_MAX = 1024  # Cached answers, and waiting questions.
ADDRESSES_PER_NAME_MAX = 16
PROXY_ANSWER_BYTES_MAX = 16 * KIB  # Status line and headers of a CONNECT response, 1xx included.
PROXY_ANSWER_TIMEOUT_S = 10.0  # For CONNECT, or a proxy's own TLS: the proxy dials out meanwhile.
TLS_HANDSHAKE_TIMEOUT_S = 5.0
TLS_HANDSHAKES_MAX = 128  # At once, per listener.
TLS_HANDSHAKES_PER_SOURCE = 32  # Above it a source loses its oldest one when no slot is left.
TLS_RECORD_BYTES = 16 * KIB
TLS_HELLO_BYTES_MAX = 32 * KIB  # Of a client's first message; one with large keys has some 2 KiB.
LISTEN_BACKLOG = 1024
CONNECTIONS_PER_LISTENER_MAX = 4096
SOURCE_SHARE = 8  # A client address, or /64, may have so many times the free slots: 8/9 of all.
SOURCE_ALWAYS = 64  # One client address may always have so many connections.
REFUSED_CLIENTS_S = 60.0  # `status` shows reset clients for so long after the last one.
# For all listeners, if descriptors were not counted; else half of them, see
# `net.sockets.clients_max`: each connection may need one more for its target.
CLIENT_CONNECTIONS_MAX = 65_536
LISTENERS_PER_SITE = 64  # For services that one other site declares, unless the Site says more.
LISTENERS_PER_SITE_MAX = 65_535  # The most that a site may allow: all ports.
LISTENERS_REMEMBERED_MAX = 4_096  # Across a restart, some 400 KB on disk: those held longest.
LISTENERS_SHARE = 4  # All listeners of services share one in so many descriptors.
LISTENERS_MAX = 65_535  # If descriptors were not counted.
# Ports of one other site's services that do not involve this site: more are left out of all tables
# and lists, because each costs memory.
SERVICE_PORTS_OF_SITE_MAX = 1_024
SERVICE_PORTS_OF_SITES_MAX = 2_048  # Of all other sites; those behind one neighbor get a part.
# Removed service ports form reference cycles, each some 120 objects and 14 KiB. Collect them after
# so many; Python itself would do so only once they fill a quarter of a gigabyte.
SERVICES_GONE_MAX = 1_000
UNPRIVILEGED_PORT_MIN = 1_024  # Below it are the ports of a host's own services (RFC 6335, 6).
LINGER_DISCARD_BYTES_MAX = 64 * KIB  # Discarded after this router's own error response.
LINGER_DISCARD_S = 1.0
CLOSING_STALL_S = 10.0  # A client that takes nothing of its last response for so long is cut.
LISTENER_CONNECTIONS_MAX = 65_536  # Of the kernel's listener; a service's own limit is lower.
FD_RESERVE = 96  # Descriptors reserved for files, admin, links and pipes.
FD_RESERVE_ESSENTIAL = 72  # Of these, reserved from links too.

MEMORY_LIMIT_BYTES_MIN = 96 * MIB  # An idle router takes 74 MiB: with 88 it is short of it.
MEMORY_LIMIT_BYTES_MAX = 1024 * 1024 * MIB  # The most that a site may configure.
MEMORY_RESERVE_BYTES = 2 * MIB  # Of the limit, for the admin API between two memory checks.
# Memory: shares of the process's limit without the reserve, and the action above each.
MEMORY_SHED_IDLE = 0.85  # Idle connections are closed.
MEMORY_REFUSE_NEW = 0.95  # New requests are refused (Envoy's overload manager: 95 %).
MEMORY_DROP_SLOWEST = 0.98  # The connections that hold most are reset (Envoy: 98 %).
MEMORY_CALM_BELOW = 0.03  # A mark ends only this far below it: no flapping.
MEMORY_LOOK_S = 0.25  # How often it is read: a file of /proc, some 10 µs;
MEMORY_NEAR, MEMORY_LOOK_NEAR_S = 0.7, 0.05  # more often above this share: 80 MB/s may come in.
MEMORY_FAR_BYTES, MEMORY_LOOK_FAR_S = 1024 * MIB, 1.0  # This far below that share: seldom.
# Also after so much input: this share of the room below MEMORY_REFUSE_NEW. A crowd that comes at
MEMORY_LOOK_ROOM = 0.5  # once, or is noticed after a late wake, cannot fill it unseen.
MEMORY_LOOK_SHARE_MIN = 0.015  # Of the limit: never for less than that.
CONNECTION_COST_BYTES = 64 * KIB  # Assumed for a new connection: with TLS it may hold that.
CLIENTS_WHEN_SHORT = 64  # Above MEMORY_DROP_SLOWEST each gets its 503; others wait in the backlog.
MEMORY_TRIM_ABOVE = 1.05  # Above so many times the lowest use, the router returns freed memory,
MEMORY_TRIM_S = 5.0  # this often while that helps or memory grows,
MEMORY_TRIM_S_MAX = 40.0  # else ever less often: after an idle minute it is back.
BUFFERED_SHARE = 0.25  # Share of memory for bytes that wait for slow readers and slots,
BUFFERED_BYTES_MIN = 64 * MIB  # at least.
SHED_AT_ONCE_MAX = 256  # Idle clients closed per memory check: some 5 ms of work.
DROP_BYTES_MIN = 16 * KIB  # Connections that hold less do not fill the memory.

# Requests free their memory without the collector. It is for the remains of failed ones, and each
# collection inspects everything in flight.
GC_AFTER_OBJECTS = 20_000

# link: frames and lanes.
FRAME_PAYLOAD_BYTES_MAX = 65_528  # Exactly four TLS records with its header.
LANE_TURN_BYTES_MAX = 256 * KIB  # Encrypted and written once per turn.
LANE_AHEAD_S = 0.05  # Data handed to a lane's connection may wait this long in it,
LANE_MEASURE_S = 0.2  # measured over at least this time,
LANE_TURN_BYTES_MIN = 16 * KIB  # but each turn sends at least so much over the slowest path.
LANE_UNSENT_BYTES_START = 64 * KIB  # This much may wait in the kernel until the speed is measured,
LANE_AHEAD_BYTES_MAX = 800 * KIB  # or, over a path with at least this speed (16 MB/s),
LANE_UNSENT_BYTES_MAX = 4 * MIB  # this much, to keep a long path full.
LANE_QUANTUM_BYTES = 16 * KIB  # Deficit round-robin.
LANE_PLACED_BYTES_MAX = 128 * KIB  # Of a turn without other waiting streams: sent in arrival order.
ANSWER_BYTES_MAX = 16 * KIB  # Of a head and body sent in one frame: one turn's share.
ACCEPT_HELD_S = 0.005  # ACCEPTED waits so long, at most twice, to go with a small response.
STREAM_WINDOW_BYTES_INITIAL = 64 * KIB
STREAM_WINDOW_BYTES_MAX = 16 * MIB
STREAM_CREDIT_STEP_BYTES = 2 * MIB  # Of the largest window: steps of half would idle a long path.
STREAM_SEND_QUEUE_BYTES = 64 * KIB  # Above it `send` refuses.
LINK_BUFFERED_BYTES_MARK = 16 * MIB  # Above it no window grows.
PROCESS_BUFFERED_BYTES_MARK = 256 * MIB  # Until the memory limit is known, then `BUFFERED_SHARE`.
STREAMS_PER_LANE_MAX = 16_384
STREAMS_OPENING_MAX = 1_024
CONTROL_MESSAGE_BYTES_MAX = 64 * KIB
HELLO_TIMEOUT_S = 5.0
LIVENESS_TICK_S = 0.25  # How often silence is checked.
PING_INTERVAL_S = 1.0  # When idle: one exchange, whichever end asked.
RTT_FRESH_S = 5.0  # Each end measures at least that often.
SILENCE_TOLD_S = 1.75  # Shorter silence may be a PING and its answer on a busy machine.
CONTROL_DEAD_AFTER_S = 2.75  # Plus a tick: requests avoid a silent neighbor within 3 s.
RTT_USUAL_S_MAX = 0.2  # Of any terrestrial path. A longer round trip allows more silence:
SILENCE_PER_RTT = 20.0  # this many seconds per second beyond it, for four TCP retransmissions,
SILENCE_MORE_S_MAX = 12.0  # and at most this many; or while a data lane is heard.
DATA_PING_AFTER_S = 5.0
DATA_DEAD_AFTER_S = 3.0
PING_QUEUE_MAX = 32
RESETS_BURST = 1_000
RESETS_PER_S = 500.0  # Clients that give up: 10 % of 5,000 requests a second. Peers are sites.
GLITCHES_MAX = 1_000
GLITCHES_PER_S = 33.0
CREDIT_BYTES_MAX = 2**31 - 1
WINDOW_INCREMENT_BYTES_MIN = KIB  # Smaller ones are glitches: this router returns half windows.
WINDOW_GROWS_WITHIN_S = 0.01  # Half a window read in this time, or in 4 RTT: the window limits.
WINDOW_GROWS_PAUSED_SHARE = 0.25  # Of that time, the pause allowed to its reader: else it is slow.
HEADS_PER_STREAM_MAX = 32  # 1xx and the final one.
INTERIM_BYTES_MAX = 128 * KIB  # Of all 1xx to one request: no reader can slow them down.
LANE_URGENT_BYTES_MAX = MIB  # Answers waiting for a peer that does not read.
LANE_CONTROL_BYTES_MAX = 32 * MIB  # Waiting control messages: a whole database, once.
LANE_IDS_MAX = 2**29  # Of 2^30 - 1: another lane replaces it long before ids run out.
LANE_BYTES_MAX = 128 * 1024 * MIB  # One TLS key; AES-GCM's limit is near 360 GiB.
LANE_RETIRED_S = 3_600.0  # A replaced lane lives on for its last streams.
LANES_RETIRED_MAX = 16  # Of one link; beyond that the oldest goes. 128 GiB each: 2 TiB in an hour.
LANE_LINGER_S = 1.0  # For the GOAWAY to be sent, then abort.
RTT_MAX_S = 60.0  # Longer ones are the sleep of a suspended machine.
LANE_WRITE_STALL_S = 10.0  # Data waits and the kernel took none of it.
LINK_HANDSHAKES_MAX = 128  # Accepted lanes whose peer is not identified yet.
LOST_LINK_SHOWN_S = 600.0  # As long as `why` shows the sites behind it: ABSENT_SITES_SHOWN_S.
LOST_LINKS_MAX = 256  # Incoming links that are down: a router has no more adjacencies at once.
LINKS_PER_SITE_MAX = 256  # Accepted: routers and workers of a site dial one each.
# Accepted link connections, each a descriptor: of one site, or of all sites admitted by one token.
# Two for each of ADJACENCIES_MAX, and some during link renewals.
LANES_PER_HOLDER_MAX = 640
RENEW_REQUEST_CHARS_MAX = 8 * KIB  # As in a claim: a P-256 request has some 500.
# A chain or all CAs of a site: some 900 each; both fit into a message.
RENEWED_CHARS_MAX = 16 * KIB
RENEWALS_BURST = 4  # Requested over one link: each costs a signature and a write.
RENEWALS_EACH_S = 60.0
# Accepted from one neighbor, whatever it calls due: a rotation of its CA takes three. Each costs a
# key, a file and another link.
RENEWALS_BURST_OF_LINK = 60
RENEWALS_EACH_S_OF_LINK = 600.0
RENEW_ANSWER_S = 30.0  # Then the answer counts as lost and the request is repeated.
LINK_SUCCEEDED_S = 86_400.0  # A replaced link lives on for its last streams.
LINKS_SUCCEEDED_MAX = 8  # Of one link; beyond that the oldest goes.
RENEW_LOOK_S = 60.0  # How often certificates of links are checked, those that are up included.
RENEW_SOON_S = 5.0  # Spread of renewals found overdue together: not all links in one turn.
RENEW_RETRY_MIN_S, RENEW_RETRY_MAX_S = 60.0, 3_600.0  # A third of a week is left for it.
RENEW_DUE_SPREAD_S = 0.5  # A site sends its renewal notices to a few peers at a time.
SUCCEED_OLD_EACH_S = 3_600.0  # An acceptor that cannot renew its own shows the old one again.
SUCCEED_RETRY_MIN_S, SUCCEED_RETRY_MAX_S = 30.0, 600.0  # The link is up, so there is no hurry.
LOADS_PER_MESSAGE_MAX = 256  # Of at most 200 bytes: well under a control message's 64 KiB.
LINK_DIAL_TIMEOUT_S = 8.0  # TCP and TLS together; a proxy may take its own time before.
RACE_RESOLVE_S = 0.05  # Endpoints whose names take longer join their race late (RFC 8305, 3).
RACE_STAGGER_S = 0.25  # Between two attempts of a race, if none fails before (RFC 8305, 5).
RACE_ATTEMPTS_MAX = 16  # At once: every endpoint of a token gets its turn within 4 s.
RACE_AGAIN_S = 2.0  # The last good endpoint is retried while a race waits for silent ones.
RACE_ADDRESSES_MAX = 64  # Of all endpoints of one race; further addresses are not tried.
RECONNECT_STABLE_S = 10.0  # A link that was up for that long restarts its back-off.
RECONNECT_MIN_S = 0.5
RECONNECT_SOON_TRIES = 20  # About 5 s at the shortest pause: a neighbor that restarts.
RECONNECT_LATELY_S = 300.0  # A link that is down for less than this is back within 6 s:
RECONNECT_LATELY_MAX_S = 3.5  # 2 s are left for a lost SYN or a repeated name lookup.
RECONNECT_MAX_S = 30.0  # Of a link that is down for longer.
PATH_ROUTERS_MAX = 32
HALF_CLOSED_IDLE_S = 60.0  # A peer that sent all may wait so long for an answer, with its slot.
LATE_WAKE_S = 0.5  # A wake this late: this process stood still, or did too much in one turn.

# routing.
COST_MIN, COST_MAX = 1, 65_535
COST_WRITTEN_MAX = 2**31 - 1  # Skupper accepts any; a link with more than COST_MAX has COST_MAX.
SIBLING_COST = 0  # Between routers of one site only.
LSA_PART_BYTES_MAX = 32 * KIB  # With its signature.
LSA_ENVELOPE_BYTES = KIB  # Of these, for header, key and signature.
LSA_PARTS_MAX = 33  # Part 0, and 32 with services.
LSA_SERVICE_PORTS_MAX = 1_024  # Of one declaration.
LSA_BUDGETS_MAX = 16_384  # Parts per neighbor whose rate is limited at once.
LSAS_UNACKED_MAX = 64  # In flight to one neighbor; the others wait for an ack.
ADJACENCIES_MAX = 256  # Of one router; they must fit into part 0.
GRANTS_PER_SERVICE_MAX = 64  # Of some 70 bytes each, in the owner's declaration.
SHARING_PATTERNS_MAX = 64  # Of one rule; it is sent with each advert and declaration.
SHARING_PATTERN_CHARS_MAX = 253  # The longest name of a site.
LINK_SETTLES_S = 3.0  # A link that came up, or began to drain, may bring streams of unknown routes.
REFUSED_STREAMS_TOLD_S = 60.0  # Between two events of the same refusal.
REFUSED_STREAMS_KEPT_MAX = 1_024  # Refusals remembered as reported.
REFUSED_STREAM_EVENTS_BURST, REFUSED_STREAM_EVENTS_PER_S = 16, 0.1  # Of one neighbor.
REFUSED_MESSAGES_KEPT_MAX = 256  # By service, site and the router that refused.
REFUSED_MESSAGE_EVENTS_BURST, REFUSED_MESSAGE_EVENTS_PER_S = 16, 0.1  # Of one neighbor or egress.
# Of one kind, about one neighbor or all sites admitted by one token: half of `EVENTS_BURST`, so
# that they hide no event about another neighbor.
LINK_EVENTS_BURST, LINK_EVENTS_PER_S = 50, 0.05
EVENT_BUDGETS_MAX = 1_024  # Sites whose events of one kind are limited: some 200 KB.
REFUSED_MESSAGES_SHOWN_S = 600.0  # As a problem, after the last one.
BARS_MAX = 64  # Sites that one router bars: some 3 KiB of its part 0; the newest count.
BAR_S = 86_400.0  # How long a bar is sent: no other statement of a site is held a tenth of that.
DELETED_EVENTS_BURST, DELETED_EVENTS_PER_S = 64, 0.1  # For all deleted sites together.
BAR_EVENTS_BURST, BAR_EVENTS_PER_S = 16, 0.1  # Of one site that bars others, however many.
SERVICE_EVENTS_BURST, SERVICE_EVENTS_PER_S = 16, 0.1  # Of what a site withdraws or restores.
GONE_SERVICES_MAX = 4_096  # Other sites' services that went with an event: their return is one too.
BAR_NOTES_MAX = 8  # In `status`; `network status` has all.
KNOWN_OFFERS_MAX = 4_096  # Pairs of a service and a site, at most some 200 KB on disk.
NEW_OFFERS_LEARN_S = 30.0  # Offers found this soon after a new router first reaches a site are old.
NEW_OFFER_SHOWN_S = 3_600.0  # In `status` and `why`.
NEW_OFFER_NOTES_MAX = 8  # In `status`; `why` has each.
NEW_OFFER_EVENTS_BURST, NEW_OFFER_EVENTS_PER_S = 16, 0.1  # Of one site, whatever it offers.
RULE_NOTES_MAX = 8  # In `status`: names in rules that mean no site, or another than its bearer.
# Of all link terms in part 0, besides the adjacencies; terms beyond it allow nothing.
LSA_TERMS_BYTES_MAX = 8 * KIB
ROUTERS_PER_SITE_MAX = 64  # One site cannot fill the database with invented routers.
ID_CHARS_MAX = 64
COUNTER_MAX = 2**53  # Epochs, sequences and counts from peers.
LSA_REFRESH_S = 300.0
LSA_MAX_AGE_S = 900.0
LSA_MIN_INTERVAL_S = 0.1
LSA_RETRANSMIT_S = 1.0
LSA_BURST, LSA_PER_S = 20, 5.0
DIGEST_BUCKETS_MAX = 1_024  # 8 bytes each: 8 KiB to compare 1,000 sites.
DIGEST_TRIES = 3  # `LSA_RETRANSMIT_S` apart; then the neighbor gets everything.
# From one neighbor, or from all sites admitted by one token; the first digest of each link is
# always answered. A peer that lies gets the whole database at most this often.
DIGESTS_BURST, DIGESTS_PER_S = 8, 1 / 30
# Signatures checked for one neighbor, or for all sites admitted by one token, whatever the parts: a
# large database at once, then 5 % CPU.
LSA_CHECKS_BURST, LSA_CHECKS_PER_S = 4_096, 500.0
# LSAs of one neighboring site over all its links, or of all sites admitted by one token, before
# decoding. Decoding takes 15 to 30 ms of CPU a MiB. The burst is the database of 1,000 sites.
LSA_INTAKE_BURST_BYTES, LSA_INTAKE_BYTES_PER_S = 16 * MIB, 4 * MIB
LSA_INTAKE_MESSAGE_BYTES = 2 * KIB  # Added for each LSA: small ones take time too.
# For other control messages, in the same way. When a link comes up, 1,000 sites need less than a
# MiB, and the largest table of an edge 5. Decoding takes 5 ms of CPU a MiB, at the very worst 55,
# and each message some 9 µs with all its consequences. An ack of an LSA that was sent is free.
CONTROL_INTAKE_BURST_BYTES, CONTROL_INTAKE_BYTES_PER_S = 8 * MIB, MIB
CONTROL_INTAKE_MESSAGE_BYTES = 176  # Added for each message.
INTAKE_REST_S_MAX = 0.25  # Above a budget the lane pauses for so long; PINGs are read in between.
INTAKE_LATE_S_MAX = 4.0  # Above it LSAs are dropped, others are glitches: the peer has many links.
ORIGINS_MAX = 4_096
SERVICES_PER_SITE_MAX = 1_024  # Announced by one router.
# For all routers of one site together: a member can start as many routers as it likes. Twice the
# services of one router, because both versions are held while parts change places.
LSA_SITE_NAMES_MAX = 2 * SERVICES_PER_SITE_MAX
LSA_SITE_ITEMS_MAX = 32_768  # Declarations and adverts: 16 routers with 1,024 services each.
LSA_SITE_BYTES_MAX = 4 * MIB  # Signed; 4 routers that announce as much as one may.
# For everything that one neighbor brings of other sites: a member can invent as many sites as it
# likes, each with its own key. A table of so many names takes a tenth of a second; 1,000 sites that
# declare and serve 20 of them each have room. One member fills less than OWNED_NAMES_MAX. All
# neighbors admitted by one token count as one here, and their own announcements have as much.
LSA_NEIGHBOUR_ROUTERS_MAX = 2_048
LSA_NEIGHBOUR_NAMES_MAX = 4_096
LSA_NEIGHBOUR_ITEMS_MAX = 40_960  # Declarations and adverts.
LSA_NEIGHBOUR_BYTES_MAX = 16 * MIB  # Signed.
SITE_OVER_BUDGET_SHOWN_S = 2 * LSA_REFRESH_S  # Each refresh reports the excess again.
OWNED_NAMES_MAX = 5_120  # Names and their owners: at most 0.83 MiB of the 1 MiB of a ConfigMap.
OWNER_WITHDRAWN_S = 10.0  # An owner in reach that omits its name for so long has withdrawn it.
OWNER_MET_S = 0.5  # After being alone: declarations heard within this time count as simultaneous.
# The longest well below `REROUTE_WAIT_S`: requests without a path wait no longer than that.
SPF_DELAY_MIN_S, SPF_DELAY_MAX_S = 0.01, 0.2
SPF_INTERVAL_S = 0.05  # Between path computations, whatever happens.
# Between tables that differ in services: each takes some 20 µs per known router.
TABLE_INTERVAL_PER_ROUTER_S = 0.0005
# After so much CPU time for tables at once, pause ten times as long as each takes, including all
# its consequences: constant changes of others cost a tenth of a core; paths cost another.
TABLE_BURST_CPU_S = 0.2
TABLE_REST_FACTOR = 10.0
TABLE_REST_S_MAX = 5.0  # A site keeps following the network, however slow its host.
# A neighbor that was lost more often than this within the window counts again once it has stayed up
# for a while, twice as long with each loss.
FLAPS_FREE, FLAP_WINDOW_S = 3, 60.0
FLAP_HOLD_S, FLAP_HOLD_S_MAX = 1.0, 30.0
FLAP_HOLD_ALONE_S = 2.0  # At most, if no other path leads to it: it would be cut off.
LINK_COUNTS_S = 1.0  # After a link is up; until then its neighbor holds it back.
FLAPS_REMEMBERED = 16  # Of one neighbor: fewer losses already give the longest hold.
EQUAL_PATHS_MAX = 8  # Paths kept per destination.
DUPLICATE_SEEN_S = 2.0  # A router that pings each second and was heard this recently is alive.
SHARE_DEBTS_MAX = 1024  # Of some 25 bytes: well under a control message's 64 KiB.
SHARE_MEMBERS_KEPT_MAX = 256  # Routers of this site that were heard; each Pod has another name.
SHARE_NAME_CHARS_MAX = 64  # Of a division or a resource: digests, 16 and 32 characters.
PEERS_MAX = 16  # Other routers of one site, and as many entries that name them.
PEERS_RESOLVE_S = 5.0  # How often the name of the site's own routers is resolved again.
PEERS_ANSWER_S = 5.0
POD_START_SEEN_S = 30.0  # From a Pod's creation: by then it is shown as running, if it runs.
SHARES_UNHEARD_S = 15.0  # Routers of one site that start agree sooner, unless they cannot link.
ROUTER_ABSENT_S = 15.0  # Another router of the site that does not serve for so long is reported.
ROUTER_STARTS_S = 180.0  # The same while its pod is made: its image may be pulled.
SHARES_REPEAT_S = 0.5  # Between routers of one site: repeats lost messages.
SHARE_DEBTS_S = 0.1  # The others of its site hear so soon that it owes them fewer slots.
SHARE_DEBTS_FOR_S = 5.0  # After it came to owe them; later with each repetition.
PLACE_CHARS_MAX = 128  # A host name and a process, sent to neighbors.
COPY_RETRY_S = 5.0  # For a router refused as a copy: the original may have been stopped.
COPY_SHOWN_S = 11.0  # At the router that keeps the later copy out: two retry pauses, and a dial.
CONFLICT_ANSWERS = 2  # To epochs that we took: a router that is gone may have left one like it.
CONFLICT_REPEAT_S = 60.0  # A copy that goes on is reported again.
FAULTY_SITES_MAX = 256  # Sites that send forbidden statements, with the problem; some 1 KiB each.
FAULTY_SITES_SHOWN_MAX = 16  # Of them in `status`, by name.
EQUIVOCATORS_MAX = 256  # Origins that signed two things with one number; some 100 bytes each.
CONFLICT_SHOWN_S = 180.0  # A problem of the survivor, until the copy was silent for so long.
SERVICE_SYNC_TTL_S = 180.0
EDGE_WISHES_MAX = 512  # Services that an edge names; an edge that wants more asks for all.
EDGE_ROWS_MAX = 16_384  # Of one edge's table, some 4 MB; services that do not fit are left out.
EDGE_TABLE_BYTES_MAX = 32 * KIB  # Rows of one message; the next follows the ack.
EDGE_TABLE_INTERVAL_S = 0.05  # Between changes sent to one edge, as for LOAD.
EDGE_RETRANSMIT_S = 1.0
EDGE_FORMER_S = 10.0  # A new neighbor of an edge may have just started, and know few services.
EDGE_WISH_REFRESH_S = 30.0  # An edge repeats its wish, in case the neighbor forgot it.
# From one edge; and from all edges admitted by one token, wishes for other services than before,
# except the first of each link. Each may cost a whole table.
EDGE_WISHES_BURST, EDGE_WISHES_PER_S = 20, 5.0
EDGE_CONFLICTS_MAX = 16  # Sites named that declare a service differently, in readable form.
EDGE_DELETED_MAX = 1_024  # Deleted sites that an edge learns of, the last ones.
EDGE_UNUSED_SITES_MAX = 256  # Reached sites that an edge knows and no longer uses, the last ones.
PROTOCOL_CHARS_MAX = 32  # Of a protocol of a service, which may be of a later version.
EDGE_OWNERS_MAX = 16  # Of one name, sent to an edge; nearly always one.
LOAD_INTERVAL_S = 0.05
LOAD_CHANGE_INTERVAL_S = 0.1
LOAD_CHANGE_SHARE = 0.1
LOAD_LASTS_S = 0.05  # One request alone is no news before: most are over by then.
LOAD_REFRESH_S = 5.0  # Sent again even if unchanged: no figure at another site is older.
LOAD_GATHER_S = 1.0  # At each hop, unchanged reports wait so long to be sent together.
LOAD_REFRESH_S_MAX = 60.0  # In large networks the interval grows, so that refreshes cost a link
LOAD_REFRESH_BYTES_PER_S = 8 * KIB  # at most about so much,
LOAD_REPORT_BYTES = 48  # with a typical report of this size.
LOAD_REPORT_BYTES_MAX = 256  # With the longest names some 210: a wake-up must afford this.
# All load reports on one link, each way: never more than 64 KiB within a second.
LOAD_LINK_BYTES_PER_S, LOAD_LINK_BURST_BYTES = 48 * KIB, 16 * KIB
LOAD_MESSAGE_BYTES = 96  # Of these, for a message: frame, TLS record, TCP and IP headers.
LOAD_BATCH_S = 0.05  # Reports gather for so long once half of the burst is used up.
LOAD_NEAR_HOPS = 3  # Reports of origins at most so far away go before others.
# Inspected from one neighbor, or from all sites admitted by one token: six times an honest one's
# rate; some 5 % CPU.
LOADS_RECEIVED_BURST, LOADS_RECEIVED_PER_S = 16_000, 8_000.0
LOAD_OVERTAKEN_S = 0.005  # After a stream's count: lanes usually differ by that much.
LOAD_SETTLE_INTERVAL_S = 1.0  # A change too small to be sent earlier is sent then.

# exchange: HTTP.
REQUEST_LINE_BYTES_MAX = 8 * KIB
# Of a request's head, like the next two; a Service can change them: docs/http.md.
HEADER_FIELD_BYTES_MAX = 8 * KIB
HEADER_BLOCK_BYTES_MAX = 32 * KIB  # All fields together.
HEADERS_MAX = 100  # How many fields.
# A larger head is parsed again each time: it comes from few clients, or never again.
HEAD_REMEMBERED_BYTES_MAX = 4 * KIB
# Per router, for requests, for responses, and for both in converted form: some MiB at worst.
HEADS_REMEMBERED_MAX = 1_024
HEADS_REMEMBERED_BYTES_MAX = 512 * KIB
HEADS_FORGOTTEN_S = 300.0  # The whole cache is cleared: heads contain tokens and cookies.
HEADS_SEEN_SLOTS = 1_024  # One hash each: a head seen twice within so many is cached.
# The highest values for a service: with the headers we add, a head still fits into one OPEN.
REQUEST_LINE_BYTES_CEILING = 16 * KIB
HEADER_BLOCK_BYTES_CEILING = 40 * KIB
HEADERS_CEILING = 500
HTTP2_STREAMS_MAX = 128  # At once, of one client connection.
HTTP2_FRAME_BYTES_MAX = 16 * KIB  # The least that a peer may announce (RFC 9113, 6.5.2).
HTTP2_WINDOW_BYTES = 64 * KIB  # Per stream; returned only as the other side takes the bytes.
HTTP2_CONNECTION_WINDOW_BYTES = MIB  # Returned at once: the stream windows bound memory.
HTTP2_QUEUE_BYTES = 64 * KIB  # Of one stream, waiting for the peer's window. Above it: no more.
HTTP2_QUANTUM_BYTES = 16 * KIB  # One stream's turn when many have something to send.
HTTP2_TURN_BYTES_MAX = 256 * KIB  # Framed in one turn; a bulk stream leaves the loop to others.
# Units of work for one connection's input in one turn; 4,000 requests fit into one read. A frame is
# 1, one with fields 16, or 4 if it comes from a target, which opens no streams: about 5 ms.
HTTP2_TURN_WORK, HTTP2_HEAD_WORK, HTTP2_ANSWER_WORK = 256, 16, 4
HTTP2_HEAD_WORK_BYTES = 128  # Each so much of a header block is one more: Huffman codes cost time.
HTTP2_TABLE_UPDATES_MAX = 8  # Before one header block; RFC 7541, 4.2, needs at most 2.
HTTP2_CONTROL_BYTES_MAX = 64 * KIB  # Answers to a peer that reads nothing; then we stop reading.
HTTP2_FRAGMENTS_MAX = 8  # Frames of one header block, as in nghttp2.
HTTP2_TABLE_BYTES = 4 * KIB  # HPACK, both directions, even if the peer allows more.
HTTP2_BLOCKS_REMEMBERED_MAX = 16  # Cached header blocks of one connection.
HTTP2_CLOSED_STREAMS_KEPT = 1_000  # How each ended, to judge late frames.
HTTP2_RESETS_BURST, HTTP2_RESETS_PER_S = 200, 100.0  # Streams that a client cancels: about 5 % CPU.
# Useless frames: pings, settings, empty data, small credit. Each useful frame earns some: peers
# answer data with credit, and probe the path while it flows.
HTTP2_USELESS_BURST, HTTP2_USELESS_PER_S, HTTP2_USELESS_PER_USEFUL = 1_000, 100.0, 4
HTTP2_USEFUL_BYTES_MIN = 256  # Our data that earns some: a peer may return credit in small pieces.
HTTP2_PING_AFTER_S = 10.0  # Of silence on a connection with open streams.
HTTP2_PING_ANSWER_S = 10.0  # Then the connection is dead.
HTTP2_PING_AGAIN_S = 310.0  # While no stream moves: gRPC servers allow one in 5 minutes.
HTTP2_GOAWAY_S = 1.0  # For streams already in flight when the client receives GOAWAY.
HTTP2_TICK_S = 2.5  # How often a client connection checks its deadlines.
HTTP2_STREAM_ID_LAST = 2**30  # Then the connection is replaced, long before ids run out.
HTTP2_TARGET_STREAMS_MAX = 100  # On one connection to a target, unless it announces less.
HTTP2_TARGET_CONNECTIONS_MAX = 32
# Streams reset by us before a connection is replaced: Netty tolerates 200 in 30 s, others 200 a
# minute, and then they end it for all clients whose streams share it.
HTTP2_TARGET_RESETS_BURST, HTTP2_TARGET_RESETS_PER_S = 100, 1.0
HTTP2_TARGET_IDLE_S = 60.0
HTTP2_REFUSED_REST_S = 1.0  # Pause of a connection that refused a stream, or until one of it ends.
HTTP2_REFUSED_TRIES_MAX = 3  # Times that targets may refuse one request unprocessed.
HEADERS_ADDED_MAX = 8  # Headers that ingress and egress may add within the limits above.
HEADERS_ADDED_BYTES_MAX = 4 * KIB
HEADER_TIMEOUT_S = 10.0
CHUNK_LINE_BYTES_MAX = 256
UPGRADE_BYTES_MAX = 64  # Of the name of a protocol to switch to.
SESSION_TICK_S = 10.0  # How often a client session checks the rate of its body.
BODY_BYTES_PER_S_MIN = 240  # A slower client, after the grace, is not honest.
BODY_GRACE_S = 10.0
# The rest of a request that was already answered is read and dropped for so long (nginx: 30 s).
# Many clients read no response before they have sent all, and a reset may destroy it.
UNREAD_BODY_S = 30.0
KEEP_ALIVE_IDLE_S = 75.0
REQUESTS_PER_CONNECTION_MAX = 1_000
RESPONSE_HEAD_TIMEOUT_S = 60.0
STREAM_IDLE_S = 300.0
TUNNEL_IDLE_S = 3_600.0
COALESCE_BYTES_MAX = 16 * KIB  # Small writes of one turn are joined up to this much.
RETRY_AFTER_MIN_S, RETRY_AFTER_MAX_S = 1, 5  # Jittered, so that clients do not return together.
RETRY_AFTER_MEAN_S = (RETRY_AFTER_MIN_S + RETRY_AFTER_MAX_S) / 2
REPLAY_BYTES_MAX = 64 * KIB
RETRIES_MAX = 8  # Refused before any byte: each candidate at most once, with an end.
POOL_IDLE_S = 4.0
POOL_SWEEP_S = 1.0  # How often idle and waiting connections are checked, at least,
POOL_SWEEP_SHARE = 0.25  # and after this share of the shortest timeout: at most so late.
POOL_FRESH_S = 1.0  # The connection age that a non-idempotent request prefers.
POOL_IDLE_PER_TARGET_MAX = 256
QUEUE_PER_SLOT = 4  # Default. At 93 % random load fewer than one in 1,000 are lost,
QUEUE_DEFAULT_MIN, QUEUE_DEFAULT_MAX = 10, 1_000  # within these bounds.
QUEUE_WAIT_S = 1.0
SHEDDABLE_SHARE = 0.8  # Of the slots of a site, the share available to sheddable requests.
HOLD_S, HOLD_S_MAX = 60.0, 900.0  # While a site is woken: clouds take half a minute to minutes.
HOLD_QUEUE = CONNECTIONS_PER_LISTENER_MAX  # The most that wait then, if the queue is shorter.
HOLD_RETRY_SPREAD = 10  # Clients turned away then return spread over a tenth more time.
HOLD_RETRY_S_MAX = 3_600.0  # The longest wait asked of a client.
QUEUE_MAX, QUEUE_WAIT_S_MAX = 100_000, 3_600.0  # For any declaration, of this site or another.
SPLIT_SITES_MAX = 1_024  # Weights of one service: as many as sites with targets of it.
ACCESS_REDEMPTIONS_MAX = 1_000  # Of an AccessGrant; the most that a claim can have.
ACCESS_WINDOW_S_MAX = 10 * 365 * 86_400.0  # As long as a site may last; dates have an end.
SERVICES_PER_LISTENER_MAX = 256  # As many routing keys as a MultiKeyListener of Skupper may have.
SPLIT_WEIGHT_MAX = 1_000_000  # The smallest possible share is one in a million.
LINE_SERVED_MAX = 512  # Recent times of a queue's progress, which judge the last in line.
FAR_RTT_S = 0.04  # With a longer round trip a request queues at a full site at once: some 50 ms.
STANDING_MAX = 16  # Requests of one ingress waiting at one near egress,
STANDING_FAR_MAX = 512  # or at a far one: half of a lane's unanswered OPENs.
ROUND_TRIPS_KEPT_MAX = 2_048  # Sites of one service port, also without a route; the newest stay.
ROUND_TRIP_SAMPLES = 16  # The shortest of so many waits at a far site is its round trip.
OPEN_WAIT_S_MAX = 60.0  # The most that an OPEN may ask for; longer is cut.
STAND_S = 0.25  # How long a request waits at another site before it tries others again.
STAND_MIN_S = 0.005  # With less time left, sending it there is not worth it.
STAND_RETRY_S = 0.1  # After an egress did not let our request wait.
RETRY_PERCENT = 20  # Of all requests may be retried after a failure,
RETRIES_PER_S = 10.0  # and so many a second in any case,
RETRY_WINDOW_S = 10.0  # saved up over that time,
# or so many in any case: if a link or site dies with that many in flight, none of them fails.
RETRIES_SAVED_MIN = 1_000
REPEATS_MAX = 2  # For an idempotent request that may have reached a target.
REROUTE_S = 0.05  # How often a request whose only path broke looks for another,
# also at every route change, for so long; so does one that comes after the last other site went.
# The site may be replaced, and over 200 ms of round trip a new link takes a second.
REROUTE_WAIT_S = 2.0
# Workers of one router.
WORKERS_MAX = 64  # Each links to each other, and to each neighbor (`ADJACENCIES_MAX` there).
WORKER_MEMORY_MIN_BYTES = 128 * MIB  # For each; an idle one has 74 MiB. With less it would refuse.
WORKER_PAUSE_MIN_S, WORKER_PAUSE_MAX_S = 0.1, 10.0  # Before a restart of a worker that ended.
WORKER_LASTS_S = 30.0  # A worker that lasted so long did not fail at its start: the pause resets.
WORKER_AWAITED_S = 5.0  # From its end on: links meant for a worker wait so long for it.
WORKER_ASTRAY_S = 60.0  # A connection that stays in no link of its worker counts about so long.
WORKER_LOOK_S = 0.1  # How often other workers receive changes from the first one.
WORKER_ASK_S = 0.5  # How often each worker reports its state.
WORKER_FIGURES_S = 1.0  # How often each reports its recent figures, for events and problems.
WORKER_PAST_S = 10.0  # Last counts of an ended worker are kept: rates cover less than 8 s.
WORKER_PORTS_LOOK_S = 10.0  # A look takes 30 ms at 16,000 service ports of three others.
WORKER_PORTS_KEPT_S = 60.0  # Figures of a service port that the first worker does not know.
WORKER_EVENT_HELD_S = 2.0  # Of another worker: the first one may report the same a moment later.
WORKER_EVENT_SAME_S = 10.0  # Events of one code and subject within it are one event of the router.
WORKER_EVENTS_HELD_MAX = 1_024  # More at once add nothing; that worker's events.log has all.
WORKER_ANSWER_S = 1.0  # Wait for figures; then the previous ones count.
WORKER_ENDS_S = 2.0  # Beyond the grace of a stop; then it is killed.
WORKER_COUNTS_S = 0.5  # Of that, while all count the requests that they cut.
WORKER_MESSAGE_BYTES_MAX = 64 * MIB  # Far above any of ours; protects memory from a broken worker.
WORKER_ITEMS_AT_ONCE = 20  # Of an answer, in one message: traffic goes on between two of them.
WORKER_MISSED_ASKS = 1  # After more, its slots and requests in flight come from its last report.
WORKER_SILENT_ASKS = 8  # 4 s: longer than a link, which drops a silent router after 3 s.
WORKER_HUNG_ASKS = 20  # 10 s: then it is ended; until then its share of new clients waits.
WORKER_START_ASKS = 60  # 30 s to its first answer: it first loads code and documents.

START_SETTLES_S = 3.0  # A site just started may lack routes that its links are about to bring.
REROUTES_WAITING_MAX = 1_024  # Of one service port.
LISTEN_RETRY_S = 1.0
LINK_PORT_WAIT_S = 5.0  # At the start, while an outgoing connection may hold the link port.
LINK_PORT_RETRY_S = 0.25
PROXY_ADDRESS_CHARS_MAX = 128  # An IPv6 address with scope and port; links may bring anything.
DRAIN_GRACE_S = 30.0
DRAIN_IDLE_S = 1.0  # An idle client of a draining site may reuse its connection.

# exchange: connections that end before their clients end them.
MAX_AGE_S_MAX = 7 * 86_400.0
MAX_AGE_JITTER = 0.1  # As gRPC (proposal A9): connections that began together do not end together.
MAX_AGE_GRACE_S = 30.0
DEPARTURES_LOOK_S = 0.5  # How often connections that were asked to end are checked.
DEPARTURE_QUIET_S = 1.0  # A tcp connection without traffic for so long is between messages.
DEPARTURE_LINGER_S = 5.0  # For the last bytes of a connection that was asked to end; then a reset.
REBALANCE_PER_S, REBALANCE_PER_S_MAX = 20.0, 1_000.0
REBALANCE_OVER_S, REBALANCE_OVER_S_MAX = 60.0, 3_600.0
REBALANCE_IDLE_S = 5.0  # Longer than most pauses within a transaction.
REBALANCE_TICK_S = 0.25  # While connections are being moved.
REBALANCE_LOOK_S = 2.0  # With `rebalance: auto`: moves what two checks in a row find misplaced.
REBALANCE_LASTS_S = 10.0  # A younger HTTP/2 stream may be a request that ends soon.
REBALANCE_RETURN_S = 2.0  # A client that was asked to end its connection counts as returning.
PLACEMENT_STEPS_MAX = 500  # Planned moves are computed one by one, beyond that in groups.

# exchange: health of targets.
HEALTH_INTERVAL_S = 1.0
HEALTH_TIMEOUT_S = 1.5  # As long as a connect may take.
HEALTH_BAD_TO_LEAVE = 1
HEALTH_GOOD_TO_RETURN = 2
HEALTH_DEAD_AFTER = 300  # Bad checks in a row, 5 minutes by default; then ever less often, up to
HEALTH_DEAD_INTERVAL_S = 10.0
HEALTH_CONFIRM_S = 0.25  # To the next connect after a first good one of a target that was down.
HEALTH_SPREAD = 0.1  # Checks of many targets drift apart by up to this share of the interval.
HEALTH_TLS_LOOK_S = 0.1  # After a handshake, for a refusal of our certificate a round trip later.
HEALTH_BODY_BYTES_MAX = 64 * KIB  # Of a check's response; the rest is not needed.
# The slot of a request that was given up: a target that does not notice may work on it longer, but
# clients that leave for good reasons must not take its slots for long.
ABANDONED_S_MAX = 1.0
ABANDONED_OPEN_MAX = 1_024  # With more connections to a target they are reset, to free descriptors.
EJECT_AFTER = 5  # Requests in a row that a target broke off, or answered 502 to 504.
# Short at first: an active check must pass before it returns, so an early try costs little.
EJECT_BASE_S, EJECT_MAX_S = 2.0, 60.0
EJECT_JITTER = 0.1  # Shorter by up to this share: targets ejected together return one by one.
EJECT_TCP_RESET_S = 1.0  # A connection reset this soon without a byte was not served.
SILENT_AFTER = 3  # Connections in a row without a response byte; fewer may be the clients' fault.
SILENT_WAIT_S = 0.2  # A client that leaves sooner has not waited for an answer.
EJECT_FORGET_S = 30.0  # Successful requests for so long after its return clear a target's record.
# As Envoy's failure percentage, over its window, but with fewer answers, because sites get few.
EJECT_SHARE_S = 10  # Whole seconds: answers are counted per second.
EJECT_SHARE_ANSWERS_MIN = 20
EJECT_SHARE_ANSWERS_PER_FAILURE = 4  # At least so many answers for each failure in a row allowed.
EJECT_SHARE_SECONDS_MIN = 3  # Seconds with more failures than successes: not just one incident.
# For remote sites. Simultaneous failures, as with a link, count as one in a row.
EJECT_BURST_S = 0.05
EJECT_PLACES_MAX = 1_024  # A site that returned may have 1 request, then twice as many each second.
EJECT_LOOK_S = 0.25  # How often a queue checks for free slots or probes that become due by time.
EJECT_SITES_MAX = 1_024  # Failed sites remembered per service port.
# The peak that a site served counts as its capacity for so long, at most twice: longer than a lull.
EJECT_SERVED_S = 30.0
# An egress answers an OPEN once it has connected to a target. The service's settings give the time,
# and so many round trips are added, before it counts as silent. In all it has at least a second.
UNANSWERED_S_MIN, UNANSWERED_BEYOND_S_MIN, UNANSWERED_ROUND_TRIPS = 1.0, 0.5, 10
UNANSWERED_FIRST_S = 5.0  # While no round trip is known: satellites have one of 2 s.
UNANSWERED_S_MAX = 15.0  # A site that answers ever later does not get ever more time.
UNANSWERED_LOOK_S = 0.25  # How often unanswered OPENs are checked while there are any.

# balance: choice of a target within a site.
TARGET_TIMED_S = 0.02  # Among several targets, one request of each is timed this often: 10 µs.
# Requests; if none can be timed, as with tcp, this is the whole cost.
TARGET_TIMED_EVERY_MAX = 1_024
TARGET_LEVEL_IN_FLIGHT_MAX = 1_023  # At one target; higher counts are recorded as this.
TARGET_ANSWERS_KEPT = 512  # Ten seconds of them: then a target that became slower is recognized.
# A target that is passed over gets one request after so long and so many others, so that its slow
# answer is one in a thousand; but after so long at the latest.
TARGET_TRIAL_S, TARGET_TRIAL_REQUESTS, TARGET_TRIAL_S_MAX = 5.0, 1_000, 60.0
# A target that becomes ready among busy ones starts with so many slots. They double when it has
# completed a request within a step, else after a second. A hundred slots take 1.5 s at 20 ms each.
SLOW_START_SLOTS, SLOW_START_STEP_S, SLOW_START_S = 2, 0.25, 1.0

# balance: capacity: auto.
LEARN_SLOTS_FIRST = 4  # A target without measurements; few have less capacity.
LEARN_SLOTS_MIN = 2  # With one slot a busy target looks like a slow one.
LEARN_SLOTS_MAX = 4_096  # No target of one router needs more requests at once.
LEARN_WINDOW_S = 0.25  # Samples of a decision span at least this much: one hiccup does not count.
# And at most so much, or so many latencies: beyond it, they are of different times.
LEARN_WINDOW_S_MAX, LEARN_WINDOW_LATENCIES_MAX = 30.0, 300
LEARN_SAMPLES_MIN = 32  # Fewer do not show their own variance.
LEARN_SAME = 0.02  # Baselines that differ by less are equal: clocks and loopback cause as much.
LEARN_LATENCY_S_MIN = 1e-6  # The clock's own step.
# While a target is always fully used, its baseline is measured this rarely, and for this small a
# part of the time, because measuring costs half of the target's capacity.
LEARN_DIP_S, LEARN_DIP_EVERY = 10.0, 16.0
LEARN_FIRST_DIP_S = 1.0  # And this soon if it was never measured in calm.
LEARN_IDLE_S = 300.0  # After so long without a request, the baseline is measured again.
LEARN_SETTLE_S_MAX = 5.0  # For answers to requests that began under the previous limit.

# balance.
# Capacities: configured ones, and rates, over a window that holds at least one request.
CAPACITY_MAX = 1_000_000
RATE_PER_S_MIN, RATE_PER_S_MAX = 0.001, 1_000_000.0
RATE_WINDOW_S_MIN, RATE_WINDOW_S, RATE_WINDOW_S_MAX = 1.0, 15.0, 3600.0
RATE_STAY_S_MAX = 86_400.0
RATE_RESUME_SHARE = 2 / 3  # Of the rate: demand below it ends the spill.
RATE_SUM_MAX = 1e12  # Of all targets of a site; claims of other sites are checked against it.
PERMITS_MAX = 2**53
RATE_GRAINS = 256  # Requests within 1/256 of a window share one timestamp: some 25 kB.
# The most permits saved while a rate is exceeded, for unevenly spaced requests: a share of the
# window's.
RATE_RESERVE_MIN, RATE_RESERVE_SHARE = 5.0, 0.1
PERMIT_TIMER_S_MIN = 0.001  # The shortest wait for the next permit: many may come at once.
RATE_COUNTED_MIN_S = 1.0  # Demand per second is averaged over at least this time.
RATE_LOOK_S = 0.25  # How often a rate without requests is checked for its end.

REFUSED_FULL_S = 0.1  # A site that refused counts as full, unless newer reports say otherwise.

DEMAND_WINDOW_S = 4  # Demand is averaged over it: 5 s after a step it shows only the new level.
DEMAND_WAKES_S = 30.0  # A request refused without targets is demand this long, for rare clients.
# A client that was asked to wait is gone after that.
UNSERVED_S_MAX = RETRY_AFTER_MAX_S + 0.5
UNSERVED_LATE_S = 0.5  # Extra time for a client that usually retries at once.
UNSERVED_PAUSE_S = 0.05  # No client retries sooner after a refusal: it is another client.
UNSERVED_KEPT_MAX = 10_000  # Clients of a service port tracked this way: at most 5 MB.
UNSERVED_SMOOTHING = 0.05  # For the share of clients that return: the last twenty count most.
REQUEST_S_SMOOTHING = 0.2  # Per second, for the time that a request takes: a mean of some ten.
# Decisions recorded per service port: for its last requests, for its last denied ones, and for its
# last that failed otherwise. 1,000 services take 3 MB when idle, 11 MB with local requests, 31 to
# 46 MB when all of them burst, and 8 to 24 MB more when requests of each have failed.
DECISIONS_KEPT = 32
# Requests sent the same way within it share the figures of the first.
SEEN_ALIKE_S = 0.002
DECISION_CANDIDATES_MAX = 16  # Recorded per decision: the nearest sites, and the chosen one.
# Sessions of one service port whose site an ingress remembers: about 2 MB. Those idle longest go.
SESSIONS_MAX = 10_000
SESSION_IDLE_S = 1_800.0  # A client that was away for longer starts a new session.

# identity.
CLAIM_BODY_BYTES_MAX = 16 * KIB
CLAIM_DEADLINE_S = 10.0
CLAIM_HEAD_BYTES_MAX = 8 * KIB
CLAIM_ANSWER_BYTES_MAX = 64 * KIB
CLAIM_CONNECTIONS_MAX = 64
CLAIM_CONNECTIONS_PER_SOURCE = 16  # Above it a source loses its oldest one when no slot is left.

# Single requests: the access log and traces.
ACCESS_LOG_BYTES_MAX = 10 * MIB  # As the router's own log.
ACCESS_LOG_FILES = 3
ACCESS_LOG_QUEUE_MAX = 8_192  # Lines waiting for the disk, of some 2 KiB at most.
ACCESS_LOG_BATCH = 256  # Lines per write.
ACCESS_LOG_DELAY_S = 0.05  # They gather for so long: the writer wakes 20 times a second.
ACCESS_LOG_CLOSE_S = 2.0
ACCESS_ERRORS_BURST, ACCESS_ERRORS_PER_S = 1_000, 100.0  # Written whatever the configured share is.
ACCESS_PATH_BYTES_MAX = 1_024  # Of a path in a line; the rest is cut off.
TRACING_CLOSE_S = 3.0  # For spans waiting to be sent when the router stops.

# admin.
ADMIN_BODY_BYTES_MAX = MIB
ADMIN_CONNECTIONS_MAX = 64  # Of the socket and of TCP each; half of them may follow events.
ADMIN_AHEAD_BYTES_MAX = 64 * KIB  # Buffered input that a client sends ahead of its responses.
ADMIN_FIELD_BYTES_MAX = 8 * KIB  # Each field of a head, and its path; a credential has some 100.
ADMIN_FIELDS_MAX = 64  # Of a head; browsers and proxies send some 20.
ADMIN_IDLE_S = 75.0  # Between requests of a connection, for a whole one, and until a part is read.
ADMIN_LINGER_S = 1.0  # Keeps reading after a refusal, so that it arrives.
ADMIN_SOCKET_CHECK_S = 1.0  # How soon a removed socket file is made again; a check is one stat.
ADMIN_SHUTDOWN_S = 1.0  # For responses in progress when a listener closes.
ADMIN_TAKEN_BYTES_MIN = 64 * KIB  # A client that reads less in `ADMIN_IDLE_S` reads nothing.
# The console has its own few connections, so that it works while clients fill the router.
CONSOLE_CONNECTIONS_MAX = 64  # Ten browsers; if not logged in, the source with most gives way.
CONSOLE_HANDSHAKES_MAX = 32  # During TLS handshakes; the source with most gives way.
CONSOLE_BODY_BYTES_MAX = 256 * KIB  # A scenario to simulate.
CONSOLE_HEAD_S = 10.0  # For a whole head on a new connection.
CONSOLE_IDLE_S = 30.0  # Between requests of a connection.
CONSOLE_REQUEST_S = 20.0  # To answer, and for the client to take the answer.
CONSOLE_STREAMS_MAX = 24  # Less than `EVENT_CLIENTS_MAX`: some remain for the unix socket.
CONSOLE_STREAMS_PER_PATH_MAX = 12  # Less than `LIVE_CLIENTS_MAX`, for the same reason.
CONSOLE_COMPUTE_S = 60.0  # Longer than `SIMULATION_S` plus `SIMULATION_END_S`.
CONSOLE_STREAM_S = 3_600.0  # Of one event stream; browsers reconnect automatically.
CONSOLE_STREAMS_LOOK_S = 1.0  # How often streams are checked for an ended session.
CONSOLE_SESSIONS_MAX = 256  # The least recently used one gives way.
CONSOLE_SESSION_IDLE_S, CONSOLE_SESSION_S = 1_800.0, 43_200.0  # Unused, and in any case.
CONSOLE_OAUTH_SESSION_S = 14_400.0  # Longest access of a user who lost a permission or the account.
CONSOLE_OAUTH_TRY_S = 600.0  # From the login page to OpenShift and back, with a second factor.
CONSOLE_OAUTH_S = 15.0  # For all calls of one login; less than `CONSOLE_REQUEST_S`.
CONSOLE_OAUTH_ANSWER_S = 8.0  # For one of them; the others need time too.
CONSOLE_OAUTH_ANSWER_BYTES_MAX = 64 * KIB  # A user with its groups; other answers have some 1 KiB.
CONSOLE_OAUTH_TEXT_BYTES_MAX = 4 * KIB  # A code or a token; those of OpenShift have 50 bytes.
CONSOLE_OAUTH_USER_BYTES_MAX = 256  # A name is stored with its session and shown in events.
CONSOLE_OAUTH_AT_ONCE_MAX = 4  # Logins in progress; a stranger may begin some.
CONSOLE_OAUTH_LOOK_S = 60.0  # How often a cluster without OpenShift's OAuth is checked again.
CONSOLE_USERS_MAX = 64
CONSOLE_HOSTS_MAX = 16
CONSOLE_RETRY_S = 2.0  # A failed listener or certificate is tried again.
CONSOLE_PASSWORD_BYTES_MAX = 1_024
CONSOLE_USER_BYTES_MAX = 64  # A user name is the name of a file, or a key of a Secret.
CONSOLE_LOGIN_BYTES_MAX = 4 * KIB  # Of an Authorization header, and of the form's body.
CONSOLE_FAILURES_BURST, CONSOLE_FAILURE_EACH_S = 5, 3.0  # Wrong passwords of one source.
CONSOLE_SOURCES_MAX = 1_024  # Sources that failed recently; all others share one budget.
CONSOLE_FILES_MAX, CONSOLE_FILES_BYTES_MAX = 256, 4 * MIB
PROBES_CONNECTIONS_MAX = 16  # Open to all: a kubelet, one or two Prometheus, a few by hand.
START_LISTENS_S = 5.0  # A router is ready once it listens where Services lead, or after so long.
PROBES_SERVICES_WAIT_S = 30.0  # An application starts without its services, if they stay away.
EVENT_CLIENTS_MAX = 32
LIVE_CLIENTS_MAX = 16  # Of `/api/v1/live`: together with events and flows fewer than connections.
FLOW_CLIENTS_MAX = 8  # Of `/api/v1/flows`, likewise.
FLOWS_KEPT = 2_000  # While flows are watched: 2 to 5 MB; and so many in flight.
FLOWS_PER_S = 500  # Recorded; others are only counted. Each costs 6 µs, and 6 more if shown.
FLOWS_WATCH_S = 60.0  # After a question; then recording stops.
FLOWS_CLIENTS_MAX = 2_000  # Connections searched for earlier requests in flight: some 3 ms.
FLOWS_COUNT_MAX = 1_000  # In one answer.
FLOWS_TICK_S = 0.25  # How often followers get new flows;
FLOWS_AGAIN_S = 2.0  # flows still in flight are repeated less often,
FLOWS_AGAIN_MAX = 100  # and only so many of them.
LIVE_EVERY_S = 1.0  # However many clients follow.
LIVE_SHARE = 0.05  # Of the time, at most: with 2,000 services snapshots are less frequent,
LIVE_LASTS_S_MAX = 10.0  # but at least this frequent: older figures are not live.
# The longest uninterrupted work for an operator, and at least one item: then traffic goes on.
SLICE_S = 0.001
EVENT_CLIENT_STALL_S = 10.0  # A client that reads nothing for so long is dropped.
EVENTS_KEPT = 1_000
SIMULATION_TEXT_BYTES_MAX = 64 * KIB  # Of a scenario; the longest of ours has 2 KiB.
SIMULATION_REQUESTS_MAX = 100_000  # Half a minute of one core; then it ends with partial results.
SIMULATION_S = 30.0  # Also a limit: on a busy machine it runs with lower priority than traffic.
SIMULATION_END_S = 10.0  # It ends at its next step; one that does not is killed.
SIMULATION_MEMORY_BYTES_MAX = 512 * MIB  # Of its process; 100,000 requests need a fifth.
SIMULATION_AGAIN_S = 2.0  # One at a time: a second client is asked to retry after this.
WHAT_IF_WINDOW_S = 60.0  # Of recorded requests, unless more is asked for.
WHAT_IF_REQUESTS_MAX = 5_000  # Run twice in some five seconds; the newest of the window.
WHAT_IF_SITES_MAX = 16  # The cheapest: the others would have been chosen last.
EVENTS_BURST = 100  # Of one code; then one per interval. Strangers can cause some.
EVENTS_INTERVAL_S = 10.0
EVENTS_LOG_BYTES_MAX = 10 * MIB  # As the router's own log.
EVENTS_LOG_FILES = 3
# At most, of the file system, for all files: a pod's is memory, 16 MiB for a sidecar.
EVENTS_LOG_SHARE = 1 / 16
EVENTS_LOG_QUEUE_MAX = 4_096  # Lines waiting for the disk; those beyond are lost, and reported.
EVENTS_READ_BYTES_MAX = 4 * MIB  # The newest part of run/events.log, at the start and for --since.
EVENTS_ANSWER_MAX = 10_000  # In one answer, the newest.
EVENT_CHANGES_MAX = 32  # Fields of a document in one event; the message counts the others.
EVENT_VALUE_CHARS_MAX = 200  # Of an old or new value.
TARGET_DOWNS_SHOWN = 4  # A target that went down so often is called unsteady,
TARGET_DOWNS_WITHIN_S = 600.0  # if it did within this time. A single restart counts once.
TARGET_DOWNS_COUNTED = 100  # Of each target; the note says that there may be more.
TARGET_STUCK_S = 10.0  # A full target that answers nothing for so long may hang,
TARGET_STUCK_TIMES = 10  # if that is so many times the latency of nine of ten requests.
TARGET_STUCK_AWAITED = 3  # So may a target with free slots that owes so many answers,
TARGET_STUCK_LONGEST = 2  # if it also is so many times the longest recent latency.
TARGET_STUCK_RESPONSE_SHARE = 0.5  # Before any request has ended: after this share of `response`.
USUAL_REQUESTS_MIN = 100  # The last so many requests show the usual latency,
USUAL_SPAN_S = 60  # or those of one or two such spans, if they are more.
TARGET_ERRORS_S = 60.0  # 5xx answers are attributed to a target if so many came within it,
TARGET_ERRORS_MIN = 3  # and they exceed `FAILING_SHARE` of its answers since the first one.
TARGET_STUCK_GAP_S = 3.0  # It still counts as full: a client gave up, and the next one comes.
EPISODE_QUIET_S = 10.0  # Requests that spill again within it belong to the same event.
UNSERVED_S = 60.0  # Without a target, clients that ask less often appear in events alone.
EPISODE_TOTALS_MAX = 4_096  # Above it, services that are gone are forgotten.
EPISODE_SITES_SHOWN = 8  # Destination sites; the rest is summed.
ABSENT_SITES_MAX = 1_024  # Rows of sites that are gone, for all services; the newest stay.
ABSENT_DETOUR_S = 5.0  # A path that a site had for less, before it was gone, is not named.
ABSENT_SITES_SHOWN_S = 600.0  # `why` names a site for so long after it is gone.
SITE_NAMES_MAX = 4_096  # Of sites reached since the start; more than one network has.
DEBUG_ROWS_MAX = 10_000  # Of each table in /api/v1/debug.
TOKENS_LOOK_S = 2.0  # How soon a created, used or revoked token is noticed.
TOKENS_SHOWN_MAX = 1_024  # As many claims as a site grants.
TOKEN_CLAIMS_SHOWN_MAX = 64  # Redemptions of one token, the newest.
CLOCK_MOVED_S = 60.0  # Between two checks; certificates tolerate five minutes.
STATE_FILE_BYTES_MAX = 64 * MIB  # 5,120 names with their declarations have some 10.
STATE_RETRY_S = 5.0  # How often a full disk is noticed, or an unreadable file retried.
STATE_HEALS_S = 1.0  # A state file that could not be written is written again.
CONFIG_POLL_S = 1.0
CONFIG_ORDER_S = 0.5  # A command usually reports its write within it, before or after a poll.
# A write changes the timestamp of a file this old: file systems' clocks step by less.
CONFIG_RESTS_S = 2.0
# Marks of so many files are read in a row, some 4 µs each; then the thread pauses, because it does
# not release Python's lock in between.
CONFIG_LOOKS_AT_ONCE = 128
CONFIG_LOOK_PAUSE_S = 0.001
CONFIG_READ_ALL_S = 60.0  # How often every file is read, whatever its times say.
CA_LOOK_S = 0.05  # While the CA is replaced: how soon a site's acceptance is noticed.
CA_REGISTER_S = 60.0  # The oldest data on absent sites that may be used: 4,096 files.
CA_ASK_MAX = 10  # Neighbors notified per check: each answer is a signature and two writes.
CA_ASK_AGAIN_S = 5.0  # Retry for a neighbor that learned of another CA and did not ask for it.
CA_PROPOSE_AGAIN_S = 2.0  # Retry for a change of the CA that the cluster rejected.
CA_STUCK_S = 3_600.0  # Linked sites take it within seconds; then the operator hears of the others.
CA_GIVEN_MAX = 4_096  # Certificates recorded in a rotation of the CA; up to 1 KiB each.
CA_LAG_S = 10.0  # A link without the new certificate that its site has delays a phase so long.
CA_NAMES_SHOWN = 10  # Of sites that delay a rotation.

# documents: wanted state as text.
CONFIG_FILE_BYTES_MAX = MIB  # 300 services are about 60 KiB.
CONFIG_FILES_MAX = 4_096
# Labels and annotations of one ServiceExport, which every site receives.
EXPORTED_METADATA_CHARS_MAX = 2_048
EXPORTED_PODS_MAX = 64  # Named pods of one ServiceExport: each is a service of the network.
# All pods of a site, each with a listener per port: services keep the other half.
EXPORTED_POD_LISTENERS_MAX = LISTENERS_PER_SITE // 2
CONFIG_MAPS_CHARS_MAX = 2 * MIB  # Of a namespace: reading them blocks the loop for some 2 s.
CONFIG_DEPTH_MAX = 16  # Our deepest field is at 6; the composer recurses.
CONFIG_ERRORS_MAX = 100  # Reported per file; more means a wrong file, not many mistakes.
SELECTOR_CHARS_MAX = 4_096  # Some ten terms of the longest labels.
TARGETS_PER_CONNECTOR_MAX = 1_024
PORTS_PER_SERVICE_MAX = 64
NAME_CHARS_MAX = 63  # DNS-1123 label.
ROUTING_KEY_CHARS_MAX = 253  # Of Skupper v2: as long as a DNS name.
V2_OBJECTS_MAX = 2_000  # Of Skupper v2 in one text; more than a file of the largest size has.
HOST_CHARS_MAX = 253  # RFC 1123, 2.1; also for the name of a gateway.
GATEWAY_ENTRIES_MAX = 1_024  # Bindings and forwards of one gateway's YAML: more than any host has.

# process.
SITE_LOCK_WAIT_S = 0.2  # For a command that checks whether a router runs.
RUN_FOLDER_CHECK_S = 1.0  # How soon a removed `run` folder is made again; a check is one stat.
STOOD_STILL_S = 2.0  # A longer suspension of the process is reported: after 3 s its links fail.

# asking: questions about other sites' targets.
INQUIRY_WAIT_S = 2.0
INQUIRY_TARGETS_MAX = 256  # Of one service port at one site; more are not shown.
INQUIRY_BYTES_MAX = 128 * KIB
INQUIRY_KEPT_S = 0.5  # Answers with 256 targets take 12 ms: a repeated question gets the same one.
INQUIRY_ANSWERS_KEPT_MAX = 1_024  # Service ports with targets; at most 35 KiB each.
INQUIRY_ERROR_MAX = 160  # Characters; even with the longest names all targets fit into the answer.
INQUIRY_STATE_S_MAX = 315_360_000.0  # Ten years: dates can be computed from it.
# ping: rounds of one call, half of the time that `sitectl` waits for an answer, and their distance.
PING_ROUNDS_MAX = 10
PING_INTERVAL_ROUNDS_S = 0.2
PINGS_AT_ONCE_MAX = 4  # Each is up to 32 streams in a round: one to each router on the path.
# check --traffic: a request to each site. `sitectl` waits 5 s for the answer.
TRIAL_S = 4.0
TRIAL_BODY_BYTES_MAX = MIB  # Of a response; beyond it the rest is discarded.
TRIALS_AT_ONCE_MAX = 4  # Services tried at the same time.
ECHO_BYTES_MAX = KIB  # Of an answer: a router id and a version.

REFUSALS_KEPT_MAX = 64  # Peers whose last refusal is remembered, to report it once.
LINK_REASONS_KEPT_MAX = 16  # Of a link that does not come up: each of so many is reported once.

UNAPPROVED_NOTES_MAX = 16  # In `status`; `sitectl access` lists all.
ACCESS_ROWS_MAX = 2_000  # Some 250 bytes each as JSON; a single service can be queried.

# A site's answers about itself, and its questions to others.
SITE_ANSWER_BYTES_MAX = 256 * KIB  # 500 services with a few targets each; the rest is counted.
SITE_QUESTION_BYTES_MAX = 512
SITE_SERVICES_MAX = 1_000
SITE_LINKS_MAX = 512
SITE_PROBLEMS_MAX = 32
SITE_SERVED_MAX = 64  # Sites that served a service, the busiest.
SITE_TEXT_MAX = 400  # Characters of a problem.
SITE_KEPT_S = 2.0  # Ten consoles cause one question; the gathered answer is cached.
SITE_READ_AT_ONCE = 20  # Service ports, a millisecond or two; then traffic goes on,
SITE_READ_PAUSE_S = 0.002  # for so long at least.
SITE_ANSWERS_KEPT_MAX = 64
SITE_ANSWERS_AT_ONCE_MAX = 8  # In progress: 2 MiB.
SITE_ANSWERS_PER_S = 20.0  # Per asking site: a millisecond or two each.
SITE_ANSWERS_BURST = 40
SITE_QUESTIONS_AT_ONCE_MAX = 8
SITE_HISTORY_SAMPLES_MAX = 1_000
SITE_HISTORY_SITES_MAX = 64
SITE_HISTORY_STEP_S_MIN = 1.0  # A chart has a place for each step: 900 of a quarter of an hour.
# Between routers of one namespace: the router that writes there asks the others.
SIBLING_NEWS_EVERY_S = 2.0
SIBLING_NEWS_MISSED = 2  # After more answers in a row, its last findings no longer count.
SIBLING_NEWS_MAX = 64  # Events, problems and notes, of each; some 200 KiB with the longest texts.

# kubernetes: calls to the API server, and a site's objects there.
API_CALL_S = 30.0  # One call with all its retries.
API_ATTEMPT_S = 10.0  # A healthy server answers in well under one second.
API_ATTEMPTS_MAX = 5
API_BACKOFF_S, API_BACKOFF_MAX_S = 0.2, 10.0  # Doubling, jittered by half.
API_STARTING_S = 10.0  # Longer, a server that refuses all and is not ready has no Role for us.
API_PERSON_CALL_S, API_PERSON_ATTEMPTS_MAX = 20.0, 3  # Of a command, for which a user waits.
API_PERSON_ATTEMPT_S = 5.0
API_RETRY_AFTER_MAX_S = 60.0  # The longest wait that a throttling server may ask for.
API_PLAIN_ANSWER_BYTES_MAX = 1000  # Of a refusal in plain text: a longer one is a proxy's page.
API_IDLE_CONNECTIONS_MAX = 8  # Reused for the next call.
API_LIST_PAGES_MAX = 500  # A list of more than 100,000 objects counts as endless.
API_ANSWER_BYTES_MAX = 32 * MIB  # A page of larger objects is requested in smaller parts.
API_PAGE_OBJECTS = 200  # Of a list: decoding a page of Pods blocks the loop for some 5 ms.
WATCH_S = 540  # The server ends each watch then. Bookmarks keep it from idle time-outs.
WATCH_SILENCE_S = 90.0  # A silent watch is reopened. Most servers send a bookmark a minute.
WATCH_HEALTHY_S = 5.0  # A watch that ends sooner counts as a failure.
WATCH_BACKOFF_MAX_S = 15.0  # A server that came back is noticed within it.
WATCH_REFUSED_S = 30.0  # Between attempts to read a kind without permission, once some have failed.
REVOCABLE_WATCH_S = 60  # As WATCH_S, for another namespace: its permission may be revoked.
REVOKED_AGAIN_S = 10.0  # Until the next attempt: a starting server may refuse for a moment.
WATCH_ABSENT_S = 600.0  # Between checks whether the cluster has a kind by now.
CUSTOM_KINDS_S = 60.0  # Between checks of the custom resources that the cluster serves.
CUSTOM_KINDS_IDLE_S = 120.0  # The same while it serves none, or none may be read.
CUSTOM_KIND_SETTLES_S = 0.5  # Within it discovery shows that a kind is being removed.
WATCH_LINE_BYTES_MAX = 4 * MIB  # etcd holds objects of up to 1.5 MiB; JSON escapes some.
OBJECTS_SETTLE_S, OBJECTS_SETTLE_MAX_S = 0.02, 0.5  # Changes of objects gather for so long.
POD_END_LATE_S = 10.0  # After its grace period a Pod that is still listed is on a lost node.
LEASE_S = 15  # Routers of one site: another one takes over once a holder was silent for so long.
LEASE_HELD_S = 10.0  # Then a holder that could not renew stops, before another begins.
LEASE_RENEW_S, LEASE_RELEASE_S = 5.0, 2.0
LEASE_FOREIGN_S = 30.0  # A holder without a Pod that renews for so long is reported.
LEASE_ALONE_S, LEASE_ALONE_HELD_S, LEASE_ALONE_RENEW_S = 60, 45.0, 30.0  # As the only router.
STATUS_LOOK_S, STATUS_EVERY_S = 5.0, 30.0  # How often a changed status is written at most.
CLUSTER_SET_STATUS_EVERY_S = 5.0  # Of one ServiceExport or ServiceImport: conformance waits 20 s.
V2_STATUS_EVERY_S = 10.0  # Of one object of Skupper v2: its command line waits 30 s for some.
STATUS_AGAIN_S = 120.0  # Rewritten even if unchanged, to confirm it and remove others' changes.
STATUS_OVERTAKEN_S = 3600.0  # At most, doubling, for an object that the API says is gone.
STATUS_VALID_S = 300.0  # Over two such intervals: after it no router runs, or none may write.
STATUS_ITEMS_MAX = 50  # Links, problems and notes in it, of each; some 32 KiB.
STATUS_TEXT_CHARS_MAX = 512  # Of one message or hint in it.
STATUS_NOTES_MAX = 200  # In one answer; each object of a namespace may cause one.
OBJECT_EVENT_AFTER_S = 5.0  # A shorter finding makes no Event: objects arrive in any order.
OBJECT_EVENT_AGAIN_S = 1_800.0  # The API forgets Events after an hour.
OBJECT_EVENT_RETRY_S = 60.0
OBJECT_EVENTS_EVERY_S, OBJECT_EVENTS_BURST = 5.0, 10
OBJECT_EVENTS_MAX = 10  # Of one object.
OBJECT_EVENTS_KEPT = 256  # Recent Events to count on; the one heard longest ago goes.
OBJECT_EVENT_CHARS = 1_024  # The API takes no more.
OBJECT_EVENT_NAME_CHARS = 200  # Of an object's name in the name of its Event.
API_AWAY_S = 5.0  # An API server that is away, or refuses, for less is being upgraded.

# history.
HISTORY_STEP_S = 5.0
# A quarter of an hour: 40 KB for a service port that is busy at 4 sites, 6 if idle.
HISTORY_STEPS = 180
HISTORY_S = HISTORY_STEP_S * HISTORY_STEPS
HISTORY_FIRST_S = 0.5  # For a new service port: shorter samples give poor rates.
HISTORY_LOOK_S = 0.25  # How often the number in flight is read: twenty samples give a step's mean.
HISTORY_STALL_S = 1.0  # This late, the router stood still: input of that time arrives at once.
HISTORY_STALLS_MAX = 4  # In a step, which each of them lengthens.
HISTORY_PORTS_MAX = 300  # Service ports: 16 MB if all are busy all the time at 4 sites each.
HISTORY_SITES_MAX = 16  # Of one sample; all others count as one.
HISTORY_GONE_SITES_MAX = 256  # Whose ids and costs are kept while samples name them; the newest.
GAVE_UP_SHARE = 0.5  # Of the requests of a service port: more is a note. Some clients always go.
FAILING_SHARE = 0.05  # Of the requests of a service port: more is a problem, as in an alert.
HISTORY_READ_AT_ONCE = 20  # Service ports, less than a millisecond; then traffic goes on.

# knees.
KNEE_SAMPLES_AT_ONCE = 8  # Requests timed of a service port each `HISTORY_LOOK_S`: 1 µs each.
KNEE_SAMPLES_MIN = 30  # Fewer do not characterize a level.
KNEE_KEPT_S = 900.0
KNEE_SLICE_S = 15.0  # Only latencies of one slice are compared: conditions change over time.
KNEE_SLICES_MIN = 5  # Fewer slices with both calm and a level do not characterize that level.
KNEE_STEPS_MAX = 2  # More changes of a target's own speed in `KNEE_KEPT_S` could look like a knee.
KNEE_IN_FLIGHT_MAX = 1_024  # At one target; higher counts are recorded as this.
KNEE_TARGETS_MAX = 100  # Of one service port: 2 KB for each observed level.

# bursts.
BURSTS_MAX = 64  # Burst documents of one site: each is checked four times a second.
BURST_SAMPLE_S = 0.25  # Fullness changes from moment to moment: a window of 5 s has 20 samples.
BURST_WINDOW_S, BURST_WINDOW_S_MIN, BURST_WINDOW_S_MAX = 30.0, 2.0, 3_600.0
BURST_WINDOW_PARTS = 40  # A window slides in such parts; memory is the same for all.
BURST_REQUESTS_MIN = 10  # In a window, before shares of requests and their mean wait count.
BURST_PANIC_S, BURST_PANIC_SHARE = 6.0, 2.0  # Twice the capacity is wanted: as in Knative.
BURST_PANIC_SHARE_MAX = 100.0
BURST_REFUSED_SHARE = 0.01  # One client in a hundred turned away exceeds any queue.
BURST_CALM_FOR_S = 300.0  # Clouds take minutes to recreate what calm removes.
BURST_COOL_DOWN_S = 600.0
BURST_WEBHOOK_TIMEOUT_S, BURST_WEBHOOK_TRIES = 10.0, 5
BURST_WEBHOOK_BACKOFF_S, BURST_WEBHOOK_BACKOFF_MAX_S = 0.5, 30.0  # Doubling.
BURST_RUN_S, BURST_RUN_S_MAX = 60.0, 3_600.0
BURST_KILL_S = 2.0  # From SIGTERM to SIGKILL of a command that takes too long.
BURST_OUTPUT_BYTES_MAX = 4 * KIB  # Stored output of a hook; the rest is discarded.
BURST_TEXT_CHARS_MAX = 300  # Of that output in status, problems and events.
BURST_AGAIN_S, BURST_AGAIN_MAX_S = 30.0, 600.0  # Until a failed hook runs again, doubling.
BURST_COMMAND_WORDS_MAX = 64
BURST_READ_PAUSE_S = 0.001  # After each 64 KiB of discarded output: some 5 % CPU.
UNIX_S_MAX = 253_402_300_799.0  # The end of the year 9999, the last that dates can represent.
BURST_OBJECT_VALUES_MAX = 2_048  # In one manifest; etcd takes 1.5 MiB, users write some 30.

# kubernetes: secrets.
TRUST_SETTLED_S = 60.0  # Between checks of addresses and certificate expiry when all is done.
TRUST_CALLS_MAX = 8  # Secrets that one router writes at a time; a server takes hundreds.
TRUST_OPEN_S = 5.0  # Until a failed or waiting step is tried again.
TRUST_READY_S = 5.0  # Of the start, and of a change, for newly named TLS credentials of services.
OWNERS_EVERY_S = 5.0  # Between writes of the owners of names, which are all one object.
# Documents that count in place of wrong objects: some 700 services with their connectors, and half
# of what a Secret may hold.
IN_FORCE_BYTES_MAX = MIB // 2
IN_FORCE_EVERY_S = 2.0  # Between writes of these documents, below OBJECT_EVENT_AFTER_S.
TRUST_LAST_S = 3.0  # At the end, for unsaved state; the drain follows.
CLAIM_ANSWER_S = 9.0  # A claim judged by the API later than this reaches no caller: see above.
OTHER_NAMESPACES_MAX = 16  # Namespaces whose pods are targets; each is two connections that stay.
OTHER_NAMESPACES_READY_S = 5.0  # At the start, for their pods: else requests find no target here.
TLS_WATCHES_MAX = 64  # Secrets that are named but not labeled; each is a connection that stays.
SECRET_TRIES_MAX = 5  # For one change that others overtake; the next check tries it again.
# The sites with one first digit: 4,096 of them are some 350 KiB each; an API server takes 1 MiB.
ADMITTED_SECRET_BYTES_MAX = 960 * KIB
GRANT_KEPT_S = 86_400.0  # Of an expired claim without a use: `token status` still shows it.
REFILL_S = 10.0  # A token request that was emptied is filled no more often.

# kubernetes: Services that lead to the routers.
INNER_PORT_MIN = 1_024  # Below it a process needs a capability that restricted pods lack.
INNER_PORT_MAX = 32_767  # Above it the kernel takes ports for outgoing connections.
SERVICE_PORTS_UNASKED_MAX = 2_048  # Each: five variables in every new pod, which has room for 2 MB.
INNER_PORTS_KNOWN_MAX = 16_384  # Numbers reserved for services that are gone; they may come back.
# Another program (Argo CD, Flux, an operator) and this router overwrite a Service's selector in
# turn: more often than this is a fight, and this router yields. It tries again once per such
# interval.
SERVICE_REVERTS_MAX, SERVICE_REVERTS_WITHIN_S = 5, 3_600.0
SERVICE_WRITES_BURST, SERVICE_WRITES_PER_S = 100, 50.0  # 300 Services at once: 4 s.
SERVICE_RETRY_S, SERVICE_RETRY_MAX_S = 1.0, 60.0  # For one object that was refused, doubling.
SERVICE_URGENT_EVERY_S = 0.25  # Between repairs of one Service that users apply over and over.
SERVICE_CHANGES_BURST, SERVICE_REST_MAX_S = 8, 600.0  # Of one object; then ever more rarely.
SERVICE_SEEN_WITHIN_S = 5.0  # A watch shows our write; then we check it.
SERVICE_LISTEN_LOOK_S = 1.0  # A listener that waits (for a certificate, a port) sends no event.
RIGHTS_LOOK_S = 300.0  # A permission that an administrator adds counts within that time.
RIGHTS_AGAIN_S = 1.0  # After a refusal, doubling: a Role may follow the router that needs it.
DISCOVERY_TRIES = 3  # Of custom kinds, while the API server has errors: 7 s. Then without them.
ENDPOINTS_PER_SLICE_MAX = 1_000  # The API's limit for one EndpointSlice.
SKUPPER_REACTS_WITHIN_S = 2.0  # Its controller, or our router, while a service migrates.
# If only Skupper's command line reacts: no router serves meanwhile.
SKUPPER_UNASKED_WITHIN_S = 0.3
SKUPPER_PROXIES_S = 2.0  # kube-proxy syncs at most each second; our routers listen meanwhile.

# kubernetes: the site controller.
CONTROLLER_WORKERS = 4  # Namespaces reconciled at once: a site is some ten calls.
CONTROLLER_RESYNC_S = 300.0  # Finds changes that no watch reports; a check costs no call.
CONTROLLER_RETRY_S, CONTROLLER_RETRY_MAX_S = 0.5, 60.0  # Of one namespace, doubling.
CONTROLLER_LINKS_LOOK_S = 1.0  # At the cluster's site, while sites of its namespaces wait for it.

# callers: who calls whom.
CALLERS_MAX = 300  # Separate names; further ones are counted together.
CALLER_ADDRESSES_MAX = 100  # Of these, addresses without a name: the internet has many.
CALLER_EDGES_MAX = 1000  # Caller, service port and serving site: some 5 KiB each.
TARGET_EDGES_MAX = 1000  # Service port and target of this site: as large.
TARGET_CLIENT_SITES_MAX = 4000  # Of these by the site of the clients: some 150 bytes each.
CALLER_SLICE_S = 2.0  # Connections of one address within it have one caller, known or unknown.
CALLER_LONG_SLICE_S = 10.0  # This long while a quarter of the next limit waits.
CALLER_SLICES_MAX = 4000  # Slices with an unknown caller; further ones are counted as others.
CALLER_UNSETTLED_S = 120.0  # After that the caller is shown by its address.
CALLER_LATE_S = 10.0  # The greatest delay of the API server's news about pods.
CALLER_STALL_S = 3.0  # A backlog gathered during a stall is read within this time.
CALLER_MINUTE_S = 60.0  # Current figures cover one to two of these.
CALLER_STEP_S = 300.0  # A step of the history.
CALLER_STEPS = 288  # Of the history: a day of them.
CALLER_CROWDED_STEPS = 13  # With 3/4 of the names taken, a caller is dropped after an idle hour.
CALLER_TENURE_S = 600.0  # The holder of an address is remembered so long afterwards;
CALLER_TENURES_MAX = 16  # so many per address.
CALLER_LOOK_S = 1.0  # How often settled and due entries are processed.
CALLER_AGAIN_S = 10.0  # After an internal error, podman is asked again.
CALLER_QUERIES_PER_S = 350  # Sockets of this host that are looked up: under 2 % of a core.
