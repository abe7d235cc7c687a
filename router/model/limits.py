"""Every bound of the product, with its reason. Units are in the names; a bare number is a count."""

KIB = 1024
MIB = 1024 * KIB

# net: one turn of the data path.
TURN_EVENTS_MAX = 256  # Fairness between sockets of one turn,
TURN_BATCH_EVENTS = 64  # in batches,
TURN_S_MAX = 0.02  # of which none begins later: the operator's door waits for the turn's end.
# A full read is the payload of a full frame: one byte more would travel as a frame of its own.
# Never 128 KiB or more into new bytes: malloc would mmap each time.
READ_BYTES = 64 * KIB - 8
TLS_READ_BYTES = 256 * KIB + 16 * 22  # One write of a neighbor that has much: 16 full records.
TLS_READ_BYTES_MIN = 16 * KIB  # First. Doubled while it takes far less than TURN_READ_S_MAX.
# One connection cannot keep the turn to itself. One call, if the last read was a full one.
TURN_READ_BYTES_MAX = 4 * READ_BYTES
# Nor by bytes that are few and dear: small frames, signatures. All lanes of one neighbor over
# several links, or of all sites that one token let in, have it together; so have all lanes whose
# neighbor is not known yet, and all TLS handshakes of those who connect.
TURN_READ_S_MAX = 0.004
READ_SHORT_S = TURN_READ_S_MAX / 64  # Such a read of a lane is not counted; of many lanes less.
SPLICE_AFTER_READS = 4  # Full ones in a row: then bytes go from socket to socket in the kernel,
SPLICE_SMALL_BYTES, SPLICE_SMALL_MAX = 16 * KIB, 4  # until so many moves in a row were smaller.
PIPE_BYTES = MIB  # Moved at a time; a pipe holds that of one whose peer does not keep up.
PIPES_MAX = 16  # Of 64 MiB of pipes that Linux lets a user have: several routers may run.
SETTLE_ROUNDS_MAX = 8  # Of late deliveries and turn-end calls before others get their turn.
ACCEPTS_PER_TURN_MAX = 64
ACCEPT_ERRORS_PER_TURN_MAX = 3  # Then the listener rests.
ACCEPT_REST_S = 1.0  # After those, or when no descriptor is left.
NO_DIAL_SHOWN_S = 10.0  # As a problem, after the last dial without a descriptor or local port.
WRITE_PARTS_MAX = 256  # Gathered in one system call; the kernel takes 1,024.
WRITE_HIGH_BYTES = 64 * KIB  # Above it `send` says no until the buffer is empty.
# What the kernel holds for one connection counts against a pod's memory. When thousands hold MiBs
# it runs short, and delays every connection of the machine, links too.
CLIENT_UNSENT_BYTES = 64 * KIB  # Towards a client, beside what is sent and not yet acknowledged.
TARGET_UNREAD_BYTES = 256 * KIB  # From a target; the kernel doubles it for its own part. Less slows
TARGET_FAR_S = (
    0.002  # bulk. Targets with a longer round trip may have as much as the kernel allows.
)
TARGETS_FAR_MAX = 1024  # Addresses that are remembered as such.
CONNECT_TIMEOUT_LOCAL_S = 1.5  # The kernel sends a SYN again after 1 s: one may be lost.
# TCP keepalive of every connection: a peer that is gone without a word is found in 2 minutes.
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 60, 10, 6
KEEPALIVE_AFTER_S = 30.0  # Not asked of dialed ones that end sooner: four calls each.
RESOLVE_TIMEOUT_S = 5.0
RESOLVE_THREADS = 2
RESOLVE_FRESH_S = 2.0  # An answer this young is used again without asking.
# A dial waits that long for a newer answer, then uses the last good: shorter than any connect_s.
RESOLVE_STALE_AFTER_S = 0.02
ADDRESS_SHUNNED_S = 10.0  # One of several that did not take a connection is tried last for so long.
RESOLVE_RETRY_MIN_S, RESOLVE_RETRY_MAX_S = 0.5, 2.0  # A name that failed is asked again, doubling.
UNRESOLVED_TOLD_S = 5.0  # A name server may be restarted: then a target's name is no news.
RESOLVE_NAMES_MAX = 1024  # Answers kept, and questions waiting.
ADDRESSES_PER_NAME_MAX = 16
PROXY_ANSWER_BYTES_MAX = 16 * KIB  # Status line and headers of an answer to CONNECT, 1xx too.
PROXY_ANSWER_TIMEOUT_S = 10.0  # To CONNECT, or for a proxy's own TLS: it dials out meanwhile.
TLS_HANDSHAKE_TIMEOUT_S = 5.0
TLS_HANDSHAKES_MAX = 128  # At once, per listener.
TLS_HANDSHAKES_PER_SOURCE = 32  # Above it a source loses its oldest when no place is left.
TLS_RECORD_BYTES = 16 * KIB
TLS_HELLO_BYTES_MAX = 32 * KIB  # Of a client's first message; one with large keys has some 2 KiB.
LISTEN_BACKLOG = 1024
CONNECTIONS_PER_LISTENER_MAX = 4096
SOURCE_SHARE = 8  # A client address, or /64, may have so many times the free places: 8/9 of all.
SOURCE_ALWAYS = 64  # Connections of one client address that are never too many.
REFUSED_CLIENTS_S = 60.0  # So long after the last one `status` says that some were reset for it.
# Of all listeners, where descriptors were not counted; else half of those there are, see
# `net.sockets.clients_max`: each may need one more for its target.
CLIENT_CONNECTIONS_MAX = 65_536
LISTENERS_PER_SITE = 64  # Of services that one other site declares, unless the Site says more.
LISTENERS_PER_SITE_MAX = 65_535  # What a site may allow: all ports.
LISTENERS_REMEMBERED_MAX = 4_096  # Over a restart, some 400 KB on disk: those held longest.
LISTENERS_SHARE = 4  # All listeners of services have one of so many descriptors.
LISTENERS_MAX = 65_535  # Where descriptors were not counted.
# Ports of one other site's services that this one has no part in: more are left out of all tables
# and lists, since each costs memory.
SERVICE_PORTS_OF_SITE_MAX = 1_024
SERVICE_PORTS_OF_SITES_MAX = 2_048  # Of all other sites; what is behind each neighbor has a part.
# Service ports that went hold themselves, each some 120 objects and 14 KiB, until Python collects
# cycles: after so many. It would do so by itself once they fill a quarter of a gigabyte.
SERVICES_GONE_MAX = 1_000
UNPRIVILEGED_PORT_MIN = 1_024  # Below it are the ports of a host's own services (RFC 6335, 6).
LINGER_DISCARD_BYTES_MAX = 64 * KIB  # After our own error answer.
LINGER_DISCARD_S = 1.0
CLOSING_STALL_S = 10.0  # A client that takes nothing of its last answer for so long is cut.
LISTENER_CONNECTIONS_MAX = 65_536  # Of the kernel's listener; a service's own limit is lower.
FD_RESERVE = 96  # Descriptors that no client and no target gets: files, admin, links, pipes.
FD_RESERVE_ESSENTIAL = 72  # Of these, what links do not get either.

MEMORY_LIMIT_BYTES_MIN = 72 * MIB  # An idle router takes 68: with less it refuses all.
MEMORY_LIMIT_BYTES_MAX = 1024 * 1024 * MIB  # What a site may state.
MEMORY_RESERVE_BYTES = 2 * MIB  # Of the limit, for the operator's door between two looks.
# Memory: shares of what the process may have beside that, and what is done above each.
MEMORY_SHED_IDLE = 0.85  # Idle connections are closed.
MEMORY_REFUSE_NEW = 0.95  # Nothing new is begun (Envoy's overload manager: 95 %).
MEMORY_DROP_SLOWEST = 0.98  # Who holds most is reset (Envoy: 98 %).
MEMORY_CALM_BELOW = 0.03  # So much under a mark it no longer counts: no flapping.
MEMORY_LOOK_S = 0.25  # How often it is read: a file of /proc, some 10 µs;
MEMORY_NEAR, MEMORY_LOOK_NEAR_S = 0.7, 0.05  # above this share so often: 80 MB/s may come in.
MEMORY_FAR_BYTES, MEMORY_LOOK_FAR_S = 1024 * MIB, 1.0  # So much below that share: no hurry.
# Also as soon as so much has come in: this share of the room below MEMORY_REFUSE_NEW. A crowd that
MEMORY_LOOK_ROOM = 0.5  # comes at once, or is heard after a late wake, never fills it unseen.
MEMORY_LOOK_SHARE_MIN = 0.015  # Of the limit: never for less than that.
CONNECTION_COST_BYTES = 64 * KIB  # What a new connection counts as then: with TLS it may hold that.
CLIENTS_WHEN_SHORT = 64  # Above MEMORY_DROP_SLOWEST: each gets its 503, others wait in the backlog.
MEMORY_TRIM_ABOVE = 1.05  # Times the least there ever was: then what was freed is given back,
MEMORY_TRIM_S = 5.0  # so often while that helps or memory grows,
MEMORY_TRIM_S_MAX = 40.0  # and ever less until so often, else: a minute idle, and it is back.
BUFFERED_SHARE = 0.25  # Of the memory, for bytes that wait for slow readers and slots,
BUFFERED_BYTES_MIN = 64 * MIB  # at least.
SHED_AT_ONCE_MAX = 256  # Idle clients closed at one look: some 5 ms of work.
DROP_BYTES_MIN = 16 * KIB  # Who holds less is not what fills the memory.

# Requests free what they allocate by themselves; a collection is for what failed on its way, and
# each looks at all that is in flight.
GC_AFTER_OBJECTS = 20_000

# link: frames and lanes.
FRAME_PAYLOAD_BYTES_MAX = 65_528  # With its header exactly four TLS records.
LANE_TURN_BYTES_MAX = 256 * KIB  # Encrypted and written once per turn.
LANE_AHEAD_S = 0.05  # What is handed to a lane's connection may wait so long there,
LANE_MEASURE_S = 0.2  # as measured over so long at least,
LANE_TURN_BYTES_MIN = 16 * KIB  # but so much leaves in a turn over the slowest way.
LANE_UNSENT_BYTES_START = 64 * KIB  # And so much may wait in the kernel until it is measured,
LANE_AHEAD_BYTES_MAX = 800 * KIB  # or, over a way that carries so much (16 MB/s) and more,
LANE_UNSENT_BYTES_MAX = 4 * MIB  # so much: a long one is kept full.
LANE_QUANTUM_BYTES = 16 * KIB  # Deficit round-robin.
LANE_PLACED_BYTES_MAX = 128 * KIB  # Of a turn that nothing else waits for: leaves as it came.
ANSWER_BYTES_MAX = 16 * KIB  # Of a head and body that leave in one frame: one turn's share.
ACCEPT_HELD_S = 0.005  # ACCEPTED waits so long, twice at most, to leave with a small answer.
STREAM_WINDOW_BYTES_INITIAL = 64 * KIB
STREAM_WINDOW_BYTES_MAX = 16 * MIB
STREAM_CREDIT_STEP_BYTES = 2 * MIB  # Of the largest window: over a long way halves leave half idle.
STREAM_SEND_QUEUE_BYTES = 64 * KIB  # Above it `send` says no.
LINK_BUFFERED_BYTES_MARK = 16 * MIB  # Above it no window grows.
PROCESS_BUFFERED_BYTES_MARK = 256 * MIB  # Until the memory limit is known: `BUFFERED_SHARE`.
STREAMS_PER_LANE_MAX = 16_384
STREAMS_OPENING_MAX = 1_024
CONTROL_MESSAGE_BYTES_MAX = 64 * KIB
HELLO_TIMEOUT_S = 5.0
LIVENESS_TICK_S = 0.25  # How often silence is judged.
PING_INTERVAL_S = 1.0  # When idle: one exchange, whichever end asked.
RTT_FRESH_S = 5.0  # Each end measures at least that often.
SILENCE_TOLD_S = 1.75  # A shorter one may be a PING and its answer on a busy machine.
CONTROL_DEAD_AFTER_S = 2.75  # And a tick: requests avoid a silent neighbor within 3 s.
RTT_USUAL_S_MAX = 0.2  # Of any way on the ground. A longer one may be silent for longer: for each
SILENCE_PER_RTT = 20.0  # second more of it so long, TCP repeating a thing four times,
SILENCE_MORE_S_MAX = 12.0  # and at most; or while a data lane is heard.
DATA_PING_AFTER_S = 5.0
DATA_DEAD_AFTER_S = 3.0
PING_QUEUE_MAX = 32
RESETS_BURST = 1_000
RESETS_PER_S = 500.0  # Clients that give up: 10 % of 5,000 requests a second. Peers are sites.
GLITCHES_MAX = 1_000
GLITCHES_PER_S = 33.0
CREDIT_BYTES_MAX = 2**31 - 1
WINDOW_INCREMENT_BYTES_MIN = KIB  # Smaller ones are glitches: we return half windows.
WINDOW_GROWS_WITHIN_S = 0.01  # Half a window read in that time, or in 4 RTT: it is the limit.
WINDOW_GROWS_PAUSED_SHARE = 0.25  # Of that time, that its reader may be paused: else it is slow.
HEADS_PER_STREAM_MAX = 32  # 1xx and the final one.
INTERIM_BYTES_MAX = 128 * KIB  # Of all 1xx to one request: no reader can slow them down.
LANE_URGENT_BYTES_MAX = MIB  # Answers that wait because the peer does not read.
LANE_CONTROL_BYTES_MAX = 32 * MIB  # Control messages that wait: a whole database, once.
LANE_IDS_MAX = 2**29  # Of 2^30 - 1: another lane takes over long before they run out.
LANE_BYTES_MAX = 128 * 1024 * MIB  # One TLS key; AES-GCM's limit is near 360 GiB.
LANE_RETIRED_S = 3_600.0  # A lane that was replaced lives on for its last streams.
LANES_RETIRED_MAX = 16  # Of one link; then the oldest goes. At 128 GiB each 2 TiB within the hour.
LANE_LINGER_S = 1.0  # For the GOAWAY to leave, then abort.
RTT_MAX_S = 60.0  # Longer ones measured a sleep.
LANE_WRITE_STALL_S = 10.0  # Something waits and the kernel took nothing of it.
LINK_HANDSHAKES_MAX = 128  # Accepted lanes that have not said who they are.
LOST_LINK_SHOWN_S = 600.0  # As long as `why` shows the sites behind it: ABSENT_SITES_SHOWN_S.
LOST_LINKS_MAX = 256  # Incoming ones that are down: a router has no more adjacencies at once.
LINKS_PER_SITE_MAX = 256  # Accepted: routers and workers of a site dial one each.
# Accepted connections of links, each a descriptor: of one site, or of all that one token let in.
# Two for each of ADJACENCIES_MAX, and some while links are renewed.
LANES_PER_HOLDER_MAX = 640
RENEW_REQUEST_CHARS_MAX = 8 * KIB  # As in a claim: a P-256 request has some 500.
RENEWED_CHARS_MAX = (
    16 * KIB
)  # A chain or all CAs of a site: some 900 each; both fit into a message.
RENEWALS_BURST = 4  # Asked for over one link: each costs a signature and a write.
RENEWALS_EACH_S = 60.0
RENEWALS_BURST_OF_LINK = 60  # Taken of one neighbor, whatever it says is due: a rotation of its CA
RENEWALS_EACH_S_OF_LINK = 600.0  # takes three. Each is a key, a file and another link.
RENEW_ANSWER_S = 30.0  # Then the answer is taken for lost and the request comes again.
LINK_SUCCEEDED_S = 86_400.0  # A link that was succeeded lives on for its last streams.
LINKS_SUCCEEDED_MAX = 8  # Of one link; then the oldest goes.
RENEW_LOOK_S = 60.0  # Each link's certificate, and those of links that are up.
RENEW_SOON_S = 5.0  # Of what is found overdue at once: not all links in one turn.
RENEW_RETRY_MIN_S, RENEW_RETRY_MAX_S = 60.0, 3_600.0  # A third of a week is left for it.
RENEW_DUE_SPREAD_S = 0.5  # Who says that something is due says so to a few at a time.
SUCCEED_OLD_EACH_S = 3_600.0  # An acceptor that cannot renew its own shows the old one again.
SUCCEED_RETRY_MIN_S, SUCCEED_RETRY_MAX_S = 30.0, 600.0  # The link is up: nothing presses.
LOADS_PER_MESSAGE_MAX = 256  # Of at most 200 bytes: well under a control message's 64 KiB.
LINK_DIAL_TIMEOUT_S = 8.0  # TCP and TLS together; a proxy may take its own time before.
RACE_RESOLVE_S = 0.05  # Names that take longer join their race late (RFC 8305, 3).
RACE_STAGGER_S = 0.25  # Between two attempts of a race, if none fails before (RFC 8305, 5).
RACE_ATTEMPTS_MAX = 16  # At once: every endpoint of a token gets its turn within 4 s.
RACE_AGAIN_S = 2.0  # The last good place is tried again while a race waits for silent ones.
RACE_ADDRESSES_MAX = 64  # Of all endpoints of one race; what names have beyond that is not tried.
RECONNECT_STABLE_S = 10.0  # A link that was up for that long restarts its back-off.
RECONNECT_MIN_S = 0.5
RECONNECT_SOON_TRIES = 20  # About 5 s at the shortest pause: a neighbor that is restarted.
RECONNECT_LATELY_S = 300.0  # A link that is away for less than this is back within 6 s:
RECONNECT_LATELY_MAX_S = 3.5  # 2 s are left for a lost SYN, or a name that is asked again.
RECONNECT_MAX_S = 30.0  # Of a link that is away for longer.
PATH_ROUTERS_MAX = 32
HALF_CLOSED_IDLE_S = 60.0  # Who has sent all may wait so long for an answer, and keeps its slot.
LATE_WAKE_S = 0.5

# routing.
COST_MIN, COST_MAX = 1, 65_535
COST_WRITTEN_MAX = 2**31 - 1  # Skupper takes any; above COST_MAX a link has COST_MAX.
SIBLING_COST = 0  # Between routers of one site, and there only.
LSA_PART_BYTES_MAX = 32 * KIB  # Signed, whole.
LSA_ENVELOPE_BYTES = KIB  # Of these for header, key and signature.
LSA_PARTS_MAX = 33  # Part 0 and 32 with services.
LSA_SERVICE_PORTS_MAX = 1_024  # Of one declaration.
LSA_BUDGETS_MAX = 16_384  # Parts per neighbor whose rate is watched at once.
LSAS_UNACKED_MAX = 64  # On their way to one neighbor; the others wait for an ack.
ADJACENCIES_MAX = 256  # Of one router; they must fit into part 0.
GRANTS_PER_SERVICE_MAX = 64  # Of some 70 bytes each in the owner's declaration.
SHARING_PATTERNS_MAX = 64  # Of one rule; it travels with each advert and declaration.
SHARING_PATTERN_CHARS_MAX = 253  # The longest name of a site.
REFUSED_STREAMS_TOLD_S = 60.0  # Between two events of the same refusal.
REFUSED_STREAMS_KEPT_MAX = 1_024  # Refusals that are remembered as told.
REFUSED_STREAM_EVENTS_BURST, REFUSED_STREAM_EVENTS_PER_S = 16, 0.1  # Of one neighbor.
REFUSED_MESSAGES_KEPT_MAX = 256  # By service, site and who refused.
REFUSED_MESSAGE_EVENTS_BURST, REFUSED_MESSAGE_EVENTS_PER_S = 16, 0.1  # Of one neighbor or egress.
# Of one kind, about one neighbor or all that one token let in: half of `EVENTS_BURST`, so that they
# hide no event about another neighbor.
LINK_EVENTS_BURST, LINK_EVENTS_PER_S = 50, 0.05
EVENT_BUDGETS_MAX = 1_024  # Sites whose events of one kind are paced: some 200 KB.
REFUSED_MESSAGES_SHOWN_S = 600.0  # As a problem, after the last one.
BARS_MAX = 64  # Sites that one router bars: some 3 KiB of its part 0; the newest count.
BAR_S = 86_400.0  # A bar is told so long: nothing that a site said before is held a tenth of that.
DELETED_EVENTS_BURST, DELETED_EVENTS_PER_S = 64, 0.1  # Of sites that were deleted, in all.
BAR_EVENTS_BURST, BAR_EVENTS_PER_S = 16, 0.1  # Of one site that bars others, however many.
SERVICE_EVENTS_BURST, SERVICE_EVENTS_PER_S = 16, 0.1  # Of what a site declares no longer, or again.
GONE_SERVICES_MAX = 4_096  # Services of other sites whose return is an event, as their end was.
BAR_NOTES_MAX = 8  # In `status`; `network status` has all.
KNOWN_OFFERS_MAX = 4_096  # Pairs of a service and a site, some 200 KB on disk at the most.
NEW_OFFERS_LEARN_S = 30.0  # After a new router first reaches a site: what it finds is known to it.
NEW_OFFER_SHOWN_S = 3_600.0  # In `status` and `why`.
NEW_OFFER_NOTES_MAX = 8  # In `status`; `why` has each.
NEW_OFFER_EVENTS_BURST, NEW_OFFER_EVENTS_PER_S = 16, 0.1  # Of one site, whatever it offers.
RULE_NOTES_MAX = 8  # In `status`: names in rules that mean no site, or another than its bearer.
LSA_TERMS_BYTES_MAX = (
    8 * KIB
)  # Of all in part 0, beside the adjacencies; what is beyond is nothing.
ROUTERS_PER_SITE_MAX = 64  # One site cannot fill the database with phantoms of its own.
ID_CHARS_MAX = 64
COUNTER_MAX = 2**53  # Epochs, sequences and counts told by others.
LSA_REFRESH_S = 300.0
LSA_MAX_AGE_S = 900.0
LSA_MIN_INTERVAL_S = 0.1
LSA_RETRANSMIT_S = 1.0
LSA_BURST, LSA_PER_S = 20, 5.0
DIGEST_BUCKETS_MAX = 1_024  # 8 bytes each: 8 KiB tell whether 1,000 sites are the same.
DIGEST_TRIES = 3  # `LSA_RETRANSMIT_S` apart; then a neighbor is sent everything.
# Of one neighbor, or of all that one token let in; the first of each link is always answered.
# One that lies is sent the whole database, at most so often.
DIGESTS_BURST, DIGESTS_PER_S = 8, 1 / 30
# Signatures checked for one neighbor, or for all that one token let in, whatever the parts: a
# large database at once, then 5 % CPU.
LSA_CHECKS_BURST, LSA_CHECKS_PER_S = 4_096, 500.0
# LSAs of one neighboring site over all its links, or of all sites that one token let in, before
# they are decoded. Decoding takes 15 to 30 ms of CPU a MiB. The burst is the
# database of 1,000 sites.
LSA_INTAKE_BURST_BYTES, LSA_INTAKE_BYTES_PER_S = 16 * MIB, 4 * MIB
LSA_INTAKE_MESSAGE_BYTES = 2 * KIB  # More for each LSA: a small one takes its time, too.
# Of their other control messages, in the same way. When a link comes up, 1,000 sites need less than
# a MiB, and the largest table of an edge 5. Decoding takes 5 ms of CPU a MiB, at the very worst 55;
# and each message some 9 us, with all that follows of it. An ack that an LSA was sent for is free.
CONTROL_INTAKE_BURST_BYTES, CONTROL_INTAKE_BYTES_PER_S = 8 * MIB, MIB
CONTROL_INTAKE_MESSAGE_BYTES = 176  # More for each message.
INTAKE_REST_S_MAX = 0.25  # Above a budget the lane rests for so long; PINGs are read in between.
INTAKE_LATE_S_MAX = 4.0  # Above it LSAs are dropped, others are glitches: it has many links.
ORIGINS_MAX = 4_096
SERVICES_PER_SITE_MAX = 1_024  # That one router tells of.
# For all routers of one site together: a member can start as many routers as it likes. Twice the
# services of one router, because both versions are held while parts change places.
LSA_SITE_NAMES_MAX = 2 * SERVICES_PER_SITE_MAX
LSA_SITE_ITEMS_MAX = 32_768  # Declarations and adverts: 16 routers that tell of 1,024 services.
LSA_SITE_BYTES_MAX = 4 * MIB  # Signed; 4 routers that tell all that one may.
# For all that one neighbor brings of other sites: a member can invent as many sites as it likes,
# each with a key of its own. A table of so many names takes a tenth of a second; 1,000 sites that
# declare and serve 20 of them each have room. One member fills less than OWNED_NAMES_MAX.
# All neighbors that one token let in are one here, and what they tell of themselves has as much.
LSA_NEIGHBOUR_ROUTERS_MAX = 2_048
LSA_NEIGHBOUR_NAMES_MAX = 4_096
LSA_NEIGHBOUR_ITEMS_MAX = 40_960  # Declarations and adverts.
LSA_NEIGHBOUR_BYTES_MAX = 16 * MIB  # Signed.
SITE_OVER_BUDGET_SHOWN_S = 2 * LSA_REFRESH_S  # Each refresh reports the excess again.
OWNED_NAMES_MAX = 5_120  # Names and their owners; 0.83 MiB at most, of the 1 MiB of a ConfigMap.
OWNER_WITHDRAWN_S = 10.0  # Reached and silent about its name for that long: it has withdrawn it.
OWNER_MET_S = 0.5  # After being alone: what is heard within this is heard at once.
SPF_DELAY_MIN_S, SPF_DELAY_MAX_S = 0.01, 1.0
SPF_INTERVAL_S = 0.05  # Between computations of paths, whatever happens.
# Between tables that differ in services: one takes some 20 µs for each router known.
TABLE_INTERVAL_PER_ROUTER_S = 0.0005
# After so much CPU time for tables at once, rest for ten times what each takes, all included that
# follows from it: whatever others say all the time takes a tenth of a core; paths take another.
TABLE_BURST_CPU_S = 0.2
TABLE_REST_FACTOR = 10.0
TABLE_REST_S_MAX = 5.0  # A site does not stop to follow the network, however slow its host.
# A neighbor that was lost more often than that within the window counts again once it has stayed
# for a while, twice as long with each loss.
FLAPS_FREE, FLAP_WINDOW_S = 3, 60.0
FLAP_HOLD_S, FLAP_HOLD_S_MAX = 1.0, 30.0
FLAP_HOLD_ALONE_S = 2.0  # At most, where no other way leads to it: it would be cut off.
LINK_COUNTS_S = 1.0  # After a link is up; else its neighbor holds it back.
FLAPS_REMEMBERED = 16  # Of one neighbor: with fewer the hold is at its longest.
EQUAL_PATHS_MAX = 8  # Paths kept per destination.
TWIN_HEARD_S = 2.0  # Who pings each second and was heard that lately surely lives.
SHARE_DEBTS_MAX = 1024  # Of some 25 bytes: well under a control message's 64 KiB.
SHARE_NAME_CHARS_MAX = 64  # Of a division or what is divided: digests, 16 and 32 characters.
PEERS_MAX = 16  # Other routers of one site, and as many entries that stand for them.
PEERS_RESOLVE_S = 5.0  # A name that stands for routers of the own site is asked for again.
PEERS_ANSWER_S = 5.0
POD_START_SEEN_S = 30.0  # From a Pod being made: by then it is shown as running, if it runs.
SHARES_UNHEARD_S = 15.0  # Routers of one site that start agree sooner, unless they cannot link.
ROUTER_ABSENT_S = 15.0  # Another router of the site that does not serve so long is worth a word.
SHARES_REPEAT_S = 0.5  # Between routers of one site: what was lost is said again.
PLACE_CHARS_MAX = 128  # A host name and a process, told to neighbors.
COPY_RETRY_S = 5.0  # Of who was refused as a copy: the original may have been stopped.
COPY_SHOWN_S = 15.0  # At who keeps it out, since it came last: three times as long as it pauses.
CONFLICT_ANSWERS = 2  # To epochs that we took: who is gone may have left one that looks so.
CONFLICT_REPEAT_S = 60.0  # A twin that goes on is reported again.
FAULTY_SITES_MAX = 256  # Sites that say what they may not, with the problem; some 1 KiB each.
FAULTY_SITES_SHOWN_MAX = 16  # Of them in `status`, by name.
EQUIVOCATORS_MAX = 256  # Origins kept that signed two things with one number; some 100 bytes each.
CONFLICT_SHOWN_S = 180.0  # A problem of the survivor, until nothing was heard of a twin so long.
SERVICE_SYNC_TTL_S = 180.0
EDGE_WISHES_MAX = 512  # Services that an edge names; who wants more asks for all.
EDGE_ROWS_MAX = 16_384  # Of one edge's table, some 4 MB; services that do not fit are left out.
EDGE_TABLE_BYTES_MAX = 32 * KIB  # Rows of one message; the next follows when it was acked.
EDGE_TABLE_INTERVAL_S = 0.05  # Between changes told to one edge, as for LOAD.
EDGE_RETRANSMIT_S = 1.0
EDGE_FORMER_S = 10.0  # A new neighbor of an edge may have just started, and knows few services.
EDGE_WISH_REFRESH_S = 30.0  # An edge says again what it wants, to those that forgot it.
# Of one edge; and of all that one token let in, those with other services than before, but for the
# first of each link. Each may cost a whole table.
EDGE_WISHES_BURST, EDGE_WISHES_PER_S = 20, 5.0
EDGE_CONFLICTS_MAX = 16  # Sites named that declare a service differently; for people.
EDGE_DELETED_MAX = 1_024  # Deleted sites that an edge learns of, the last ones.
EDGE_UNUSED_SITES_MAX = 256  # Reached sites that an edge knows and uses no longer, the last ones.
EDGE_OWNERS_MAX = 16  # Of one name, told to an edge; nearly always one.
LOAD_INTERVAL_S = 0.05
LOAD_CHANGE_INTERVAL_S = 0.1
LOAD_CHANGE_SHARE = 0.1
LOAD_LASTS_S = 0.05  # One request alone is no news before: most are over by then.
LOAD_REFRESH_S = 5.0  # Told again though nothing changed: no figure elsewhere is older.
LOAD_GATHER_S = 1.0  # At each hop what says nothing new waits that long for company.
LOAD_REFRESH_S_MAX = 60.0  # In large networks the pause grows, so that refreshing costs a link
LOAD_REFRESH_BYTES_PER_S = 8 * KIB  # at most about so much,
LOAD_REPORT_BYTES = 48  # a report being of that size, as a rule.
LOAD_REPORT_BYTES_MAX = 256  # With the longest names some 210: what a wake-up must afford.
# All load reports on one link, each way: never more than 64 KiB within a second.
LOAD_LINK_BYTES_PER_S, LOAD_LINK_BURST_BYTES = 48 * KIB, 16 * KIB
LOAD_MESSAGE_BYTES = 96  # Of these for a message: frame, TLS record, TCP and IP headers.
LOAD_BATCH_S = 0.05  # Reports gather for that long once half of the burst is used up.
LOAD_NEAR_HOPS = 3  # Reports of origins at most so far away go before others.
# Looked at from one neighbor, or from all that one token let in: six times what an honest one
# sends; some 5 % CPU.
LOADS_RECEIVED_BURST, LOADS_RECEIVED_PER_S = 16_000, 8_000.0
LOAD_OVERTAKEN_S = 0.005  # After a count of a stream: lanes differ by that much, as a rule.
LOAD_SETTLE_INTERVAL_S = 1.0  # A change too small to be told earlier is told then.

# exchange: HTTP.
REQUEST_LINE_BYTES_MAX = 8 * KIB
# Of a request's head, like the next two; a Service changes them: docs/http.md.
HEADER_FIELD_BYTES_MAX = 8 * KIB
HEADER_BLOCK_BYTES_MAX = 32 * KIB  # All fields together.
HEADERS_MAX = 100  # How many fields.
# A larger head is read again each time: it comes from few clients, or never again.
HEAD_REMEMBERED_BYTES_MAX = 4 * KIB
# Of a router, for requests, for responses, and for what either becomes: some MiB in the worst case.
HEADS_REMEMBERED_MAX = 1_024
HEADS_REMEMBERED_BYTES_MAX = 512 * KIB
HEADS_FORGOTTEN_S = 300.0  # All that is remembered: heads have tokens and cookies in them.
HEADS_SEEN_SLOTS = 1_024  # One hash each: a head seen a second time within so many is remembered.
# What a service may allow at most: with what we add a head still fits into one OPEN.
REQUEST_LINE_BYTES_CEILING = 16 * KIB
HEADER_BLOCK_BYTES_CEILING = 40 * KIB
HEADERS_CEILING = 500
HTTP2_STREAMS_MAX = 128  # At once, of one client connection.
HTTP2_FRAME_BYTES_MAX = 16 * KIB  # The least that a peer may be told (RFC 9113, 6.5.2).
HTTP2_WINDOW_BYTES = 64 * KIB  # Per stream; given back only as the other side takes the bytes.
HTTP2_CONNECTION_WINDOW_BYTES = MIB  # Given back at once: what bounds memory are the streams.
HTTP2_QUEUE_BYTES = 64 * KIB  # Of one stream, waiting for the peer's window. Above it: no.
HTTP2_QUANTUM_BYTES = 16 * KIB  # One stream's turn when many have something to send.
HTTP2_TURN_BYTES_MAX = 256 * KIB  # Framed in one turn; a bulk stream leaves the loop to others.
# Of what one connection brought, looked at in one turn; 4,000 requests fit into one read.
# A frame is 1, one with fields 16, or of a target, who begins nothing, 4: about 5 ms.
HTTP2_TURN_WORK, HTTP2_HEAD_WORK, HTTP2_ANSWER_WORK = 256, 16, 4
HTTP2_HEAD_WORK_BYTES = 128  # So much of a header block is one more: Huffman codes are dear.
HTTP2_TABLE_UPDATES_MAX = 8  # Before one header block; RFC 7541, 4.2, knows of no need for 3.
HTTP2_CONTROL_BYTES_MAX = 64 * KIB  # Answers to a peer that reads nothing; then we stop reading.
HTTP2_FRAGMENTS_MAX = 8  # Frames of one header block, as nghttp2.
HTTP2_TABLE_BYTES = 4 * KIB  # HPACK, both ways, whatever the peer would allow us.
HTTP2_BLOCKS_REMEMBERED_MAX = 16  # Header blocks of one connection that may come again.
HTTP2_CLOSED_STREAMS_KEPT = 1_000  # How each ended, to judge late frames.
HTTP2_RESETS_BURST, HTTP2_RESETS_PER_S = 200, 100.0  # Streams a client breaks off: about 5 % CPU.
# Frames that serve nothing: pings, settings, empty data, small credit. Each that does something
# buys some: peers answer data with credit, and probe the path while it flows.
HTTP2_USELESS_BURST, HTTP2_USELESS_PER_S, HTTP2_USELESS_PER_USEFUL = 1_000, 100.0, 4
HTTP2_USEFUL_BYTES_MIN = 256  # Data of ours that buys some: a peer may dribble credit to us.
HTTP2_PING_AFTER_S = 10.0  # Of silence on a connection with open streams.
HTTP2_PING_ANSWER_S = 10.0  # Then it is dead.
HTTP2_PING_AGAIN_S = 310.0  # While no stream moves: gRPC servers allow one in 5 minutes.
HTTP2_GOAWAY_S = 1.0  # For streams that were on their way when the client was asked to leave.
HTTP2_TICK_S = 2.5  # How often a client connection looks at its deadlines.
HTTP2_STREAM_ID_LAST = 2**30  # Then the connection is replaced, long before ids run out.
HTTP2_TARGET_STREAMS_MAX = 100  # Of one connection to a target, if it does not say less.
HTTP2_TARGET_CONNECTIONS_MAX = 32
# Streams that we reset before a connection is replaced: Netty bears 200 in 30 s, others 200 a
# minute, and then they end it for all clients whose streams share it.
HTTP2_TARGET_RESETS_BURST, HTTP2_TARGET_RESETS_PER_S = 100, 1.0
HTTP2_TARGET_IDLE_S = 60.0
HTTP2_REFUSED_REST_S = 1.0  # A connection that refused one, until a stream of it ends.
HTTP2_REFUSED_TRIES_MAX = 3  # Streams that targets did not process, of one request.
HEADERS_ADDED_MAX = 8  # What ingress and egress may add to a head within the limits above.
HEADERS_ADDED_BYTES_MAX = 4 * KIB
HEADER_TIMEOUT_S = 10.0
CHUNK_LINE_BYTES_MAX = 256
UPGRADE_BYTES_MAX = 64  # Of the name of a protocol to switch to.
SESSION_TICK_S = 10.0  # A client session looks at its body's rate that often.
BODY_BYTES_PER_S_MIN = 240  # Slower than this after the grace is no honest client.
BODY_GRACE_S = 10.0
# What a client still sends of a request that has its answer is read and dropped for so long (nginx:
# 30 s). Many clients read no answer before they have sent all, and a reset may destroy it.
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
RETRIES_MAX = 8  # Refused before any byte: each candidate at most once, and not for ever.
POOL_IDLE_S = 4.0
POOL_SWEEP_S = 1.0  # How often idle and waiting connections are looked at, at least,
POOL_SWEEP_SHARE = 0.25  # and after this share of the shortest timeout: so much late at most.
POOL_FRESH_S = 1.0  # What a request that is not idempotent prefers.
POOL_IDLE_PER_TARGET_MAX = 256
QUEUE_PER_SLOT = 4  # By default. Random arrivals at 93 % load then lose fewer than one in 1,000,
QUEUE_DEFAULT_MIN, QUEUE_DEFAULT_MAX = 10, 1_000  # in these bounds.
QUEUE_WAIT_S = 1.0
SHEDDABLE_SHARE = 0.8  # Of the slots of a site, up to which sheddable requests get one.
HOLD_S, HOLD_S_MAX = 60.0, 900.0  # While a site is woken: clouds take half a minute to minutes.
HOLD_QUEUE = CONNECTIONS_PER_LISTENER_MAX  # At most so many wait then, where the queue is shorter.
HOLD_RETRY_SPREAD = 10  # Clients that are turned away then come again within a tenth more.
HOLD_RETRY_S_MAX = 3_600.0  # What a client is asked to wait at most.
QUEUE_MAX, QUEUE_WAIT_S_MAX = 100_000, 3_600.0  # Of any declaration: here or of another site.
SPLIT_SITES_MAX = 1_024  # Weights of one service: as many as sites may have targets of it.
ACCESS_REDEMPTIONS_MAX = 1_000  # Of an AccessGrant; what a claim can have.
ACCESS_WINDOW_S_MAX = 10 * 365 * 86_400.0  # As long as a site may last; dates have an end.
SERVICES_PER_LISTENER_MAX = 256  # As many routing keys as a MultiKeyListener of Skupper may have.
SPLIT_WEIGHT_MAX = 1_000_000  # A share of one in a million is the least that can be said.
LINE_SERVED_MAX = 512  # Times kept of a line's progress: who comes last is judged by them.
FAR_RTT_S = 0.04  # Beyond it a request joins the line of a full site at once: some 50 ms.
STANDING_MAX = 16  # Requests of one ingress waiting at one egress that is near,
STANDING_FAR_MAX = 512  # or far: half of the OPENs that may be unanswered on a lane.
ROUND_TRIP_SAMPLES = 16  # The shortest of so many waits at a far site is its round trip.
OPEN_WAIT_S_MAX = 60.0  # What an OPEN may ask for; longer is cut.
STAND_S = 0.25  # A request stands elsewhere that long at a time, then looks around again.
STAND_MIN_S = 0.005  # Less left of its deadline: going there is not worth it.
STAND_RETRY_S = 0.1  # After an egress would not let a request of ours stand.
RETRY_PERCENT = 20  # Of all requests may be tried again after a failure,
RETRIES_PER_S = 10.0  # and so many a second in any case,
RETRY_WINDOW_S = 10.0  # saved up over that time,
# or so many in any case: a link or a site that dies with that many under way fails none of them.
RETRIES_SAVED_MIN = 1_000
REPEATS_MAX = 2  # Of an idempotent request that may have reached a target.
REROUTE_S = 0.05  # A request whose only way broke looks for another that often,
REROUTE_WAIT_S = 1.0  # and at every change of routes, for so long.
# Workers of one router.
WORKERS_MAX = 64  # Each links to each other, and to each neighbor (`ADJACENCIES_MAX` there).
WORKER_MEMORY_MIN_BYTES = 128 * MIB  # Of each, which has 67 at rest; with less it would refuse.
WORKER_PAUSE_MIN_S, WORKER_PAUSE_MAX_S = 0.1, 10.0  # Before one that ended is started again.
WORKER_LASTS_S = 30.0  # After so long its end is not the start's fault: the pause is short again.
WORKER_AWAITED_S = 5.0  # From its end on: links that are for workers wait so long for it.
WORKER_LOOK_S = 0.1  # How often the others are told what changed at the first one.
WORKER_ASK_S = 0.5  # How often each is asked how it is.
WORKER_FIGURES_S = 1.0  # How often each is asked what it did lately, for events and problems.
WORKER_EVENT_HELD_S = 2.0  # Of another worker: the first one may report the same a moment later.
WORKER_EVENT_SAME_S = 10.0  # Events of one code and subject within it are one of the router.
WORKER_EVENTS_HELD_MAX = 1_024  # More at once say nothing new; that worker's events.log has all.
WORKER_ANSWER_S = 1.0  # Waited for figures; then those of before count.
WORKER_ENDS_S = 2.0  # Beyond the grace of a stop; then it is killed.
WORKER_MESSAGE_BYTES_MAX = 64 * MIB  # Far above any of ours; of a broken one not all memory.
WORKER_ITEMS_AT_ONCE = 20  # Of an answer, in one message: between two of them traffic goes on.
WORKER_MISSED_ASKS = 1  # More: its slots and what it has in flight are shown by its last report.
WORKER_SILENT_ASKS = 8  # 4 s: longer than a link waits, which drops a silent router after 3 s.
WORKER_HUNG_ASKS = 20  # 10 s: then it is ended; until then its share of new clients waits.
WORKER_START_ASKS = 60  # 30 s to its first answer: it loads code and documents before.

START_SETTLES_S = 3.0  # A site just started may lack routes that its links are about to bring.
ROUTE_RETURNS_S = 2.0  # As if just started: the last other site went, perhaps to be replaced.
REROUTES_WAITING_MAX = 1_024  # Of one service port.
LISTEN_RETRY_S = 1.0
LINK_PORT_WAIT_S = 5.0  # At the start, while an outgoing connection may hold the link port.
LINK_PORT_RETRY_S = 0.25
PROXY_ADDRESS_CHARS_MAX = 128  # An IPv6 address with scope and port; links bring whatever.
DRAIN_GRACE_S = 30.0
DRAIN_IDLE_S = 1.0  # An idle client of a site that drains may use its connection again.

# exchange: connections that end before their clients end them.
MAX_AGE_S_MAX = 7 * 86_400.0
MAX_AGE_JITTER = 0.1  # As gRPC (proposal A9): those that came together do not leave together.
MAX_AGE_GRACE_S = 30.0
DEPARTURES_LOOK_S = 0.5  # How often those that were asked to leave are looked at.
DEPARTURE_QUIET_S = 1.0  # A tcp connection on which nothing moves for so long is between two words.
DEPARTURE_LINGER_S = 5.0  # For the last words of one that was asked: then it is reset.
REBALANCE_PER_S, REBALANCE_PER_S_MAX = 20.0, 1_000.0
REBALANCE_OVER_S, REBALANCE_OVER_S_MAX = 60.0, 3_600.0
REBALANCE_IDLE_S = 5.0  # Longer than most pauses within a transaction.
REBALANCE_TICK_S = 0.25  # While connections are moved.
REBALANCE_LOOK_S = 2.0  # With `rebalance: auto`; moved is what was misplaced at two looks in a row.
REBALANCE_LASTS_S = 10.0  # A stream of HTTP/2 that is younger may be a request that ends soon.
REBALANCE_RETURN_S = 2.0  # A client that was asked to leave counts as one that comes back.
PLACEMENT_STEPS_MAX = 500  # Connections are placed in thought one by one, beyond that several.

# exchange: health of targets.
HEALTH_INTERVAL_S = 1.0
HEALTH_TIMEOUT_S = 1.5  # As long as a connect may take.
HEALTH_BAD_TO_LEAVE = 1
HEALTH_GOOD_TO_RETURN = 2
HEALTH_DEAD_AFTER = 300  # Bad checks in a row, 5 minutes by default; then ever less often, up to
HEALTH_DEAD_INTERVAL_S = 10.0
HEALTH_CONFIRM_S = 0.25  # To the next connect after a first good one of a target that was down.
HEALTH_SPREAD = 0.1  # Checks of many targets drift apart by up to this share of the interval.
HEALTH_TLS_LOOK_S = 0.1  # After a handshake, for a refusal of our certificate: a round trip later.
HEALTH_BODY_BYTES_MAX = 64 * KIB  # Of an answer to a check; what follows says nothing more.
# The slot of a request that was given up: a target that does not notice may work on it longer, and
# clients that leave for good reasons should not take its slots for long.
ABANDONED_S_MAX = 1.0
ABANDONED_OPEN_MAX = 1_024  # With more connections to a target they are reset, to free descriptors.
EJECT_AFTER = 5  # Requests in a row that a target broke off, or answered 502 to 504.
# Short at first: an active check must pass before it returns, so that little is lost by asking.
EJECT_BASE_S, EJECT_MAX_S = 2.0, 60.0
EJECT_JITTER = 0.1  # Shorter by up to this share: targets ejected together return one by one.
EJECT_TCP_RESET_S = 1.0  # A connection reset so soon without a byte was not served.
SILENT_AFTER = 3  # Connections in a row without a byte of an answer; fewer are the clients' doing.
SILENT_WAIT_S = 0.2  # A client that leaves sooner has not waited for an answer.
EJECT_FORGET_S = 30.0  # Good requests over that time after its return clear a target's record.
# As Envoy's failure percentage: over its window, with fewer answers, since sites get few.
EJECT_SHARE_S = 10  # Whole seconds: answers are counted in each.
EJECT_SHARE_ANSWERS_MIN = 20
EJECT_SHARE_ANSWERS_PER_FAILURE = 4  # At least so many answers for each failure in a row allowed.
EJECT_SHARE_SECONDS_MIN = 3  # More failures than good answers in so many: no single event.
# Of remote sites. What breaks at once, as with a link, is one failure in a row.
EJECT_BURST_S = 0.05
EJECT_PLACES_MAX = 1_024  # A site that returned may have 1 request, then twice as many each second.
EJECT_LOOK_S = 0.25  # How often a line looks for places, or a probe, that come by time alone.
EJECT_SITES_MAX = 1_024  # Sites that failed, remembered of each service port.
# What a site served at once shows its capacity for so long, at most twice: longer than a lull.
EJECT_SERVED_S = 30.0
# An egress answers an OPEN once it has connected to a target, which the service's settings give a
# time, and after so many round trips more, or is silent. In all it has a second at least.
UNANSWERED_S_MIN, UNANSWERED_BEYOND_S_MIN, UNANSWERED_ROUND_TRIPS = 1.0, 0.5, 10
UNANSWERED_FIRST_S = 5.0  # While no round trip is known: satellites have one of 2 s.
UNANSWERED_S_MAX = 15.0  # A site that answers ever later does not get ever more time.
UNANSWERED_LOOK_S = 0.25  # How often unanswered OPENs are looked at while there are any.

# balance: which target of a site.
TARGET_TIMED_S = 0.02  # Of each target a request is timed so often, where it has several: 10 µs.
TARGET_TIMED_EVERY_MAX = (
    1_024  # Requests; where none can be timed, as of tcp, that is all it costs.
)
TARGET_LEVEL_IN_FLIGHT_MAX = 1_023  # At one target; more count as that many.
TARGET_ANSWERS_KEPT = 512  # Ten seconds of them: then a target that became slower is known.
# A target that is passed over gets one request after so long and so many others, so that its slow
# answer is one of a thousand; but after so long at the latest.
TARGET_TRIAL_S, TARGET_TRIAL_REQUESTS, TARGET_TRIAL_S_MAX = 5.0, 1_000, 60.0
# A target that becomes ready among loaded ones: its slots at first; then twice as many, when it has
# completed a request within a step, else after a second. A hundred slots take 1.5 s of 20 ms each.
SLOW_START_SLOTS, SLOW_START_STEP_S, SLOW_START_S = 2, 0.25, 1.0

# balance: capacity: auto.
LEARN_SLOTS_FIRST = 4  # A target of which nothing is known; few have less.
LEARN_SLOTS_MIN = 2  # With one slot nothing tells a busy target from a slow one.
LEARN_SLOTS_MAX = 4_096  # As many requests at once no target of one router needs.
LEARN_WINDOW_S = 0.25  # A judgment's samples lie at least as far apart: one hiccup is none.
# And at most so far, or so many latencies: beyond, they are of different times.
LEARN_WINDOW_S_MAX, LEARN_WINDOW_LATENCIES_MAX = 30.0, 300
LEARN_SAMPLES_MIN = 32  # Fewer say nothing of their own variance.
LEARN_SAME = 0.02  # Baselines that differ by less are the same: clocks and loopback do that.
LEARN_LATENCY_S_MIN = 1e-6  # The clock's own step.
# While a target is always used up, its baseline is measured so seldom, and for so small a part of
# the time, as it costs half of the target.
LEARN_DIP_S, LEARN_DIP_EVERY = 10.0, 16.0
LEARN_FIRST_DIP_S = 1.0  # And so soon if it was never measured in calm.
LEARN_IDLE_S = 300.0  # Without a request so long, the baseline is measured again.
LEARN_SETTLE_S_MAX = 5.0  # Until answers of requests begun under another limit are through.

# balance.
# Capacities: configured ones, and rates, over a window that holds at least one request.
CAPACITY_MAX = 1_000_000
RATE_PER_S_MIN, RATE_PER_S_MAX = 0.001, 1_000_000.0
RATE_WINDOW_S_MIN, RATE_WINDOW_S, RATE_WINDOW_S_MAX = 1.0, 15.0, 3600.0
RATE_STAY_S_MAX = 86_400.0
RATE_RESUME_SHARE = 2 / 3  # Of the rate: below it a rate that was over is calm again.
RATE_SUM_MAX = 1e12  # Of all targets of a site; what others claim is checked against it.
PERMITS_MAX = 2**53
RATE_GRAINS = 256  # What comes within a 256th of a window is remembered as one: some 25 kB.
# Saved up at most while a rate is over, for requests that come unevenly: a share of the window's.
RATE_RESERVE_MIN, RATE_RESERVE_SHARE = 5.0, 0.1
PERMIT_TIMER_S_MIN = 0.001  # No sooner is looked for the next permit: many may come at once.
RATE_COUNTED_MIN_S = 1.0  # What is asked for a second is a mean over so long at least.
RATE_LOOK_S = 0.25  # How often a rate without requests is checked: whether it is calm again.

REFUSED_FULL_S = 0.1  # A site that refused counts as full, if nothing newer is heard.

DEMAND_WINDOW_S = 4  # Over it demand is averaged: 5 s after a step nothing of before is left in it.
DEMAND_WAKES_S = 30.0  # Turned away where no target is: that long it is one, for who asks seldom.
UNSERVED_S_MAX = (
    RETRY_AFTER_MAX_S + 0.5
)  # After that a client that was asked to wait has not come back.
UNSERVED_LATE_S = 0.5  # Who usually asks again at once may take so much longer.
UNSERVED_PAUSE_S = 0.05  # Sooner after a refusal no client comes again: it is another one.
UNSERVED_KEPT_MAX = 10_000  # Clients of a service port so remembered: at most 5 MB.
UNSERVED_SMOOTHING = 0.05  # Of those that come back or do not, the last twenty say most.
REQUEST_S_SMOOTHING = 0.2  # Each second, of how long a request takes: a mean of some ten.
# Kept of a service port: its last requests, and its last denied ones, each with what was decided.
# 1,000 services take 2 MB when idle, 10 MB with local requests, 30 to 45 MB when all of them burst.
DECISIONS_KEPT = 32
SEEN_ALIKE_S = (
    0.002  # Requests that are sent the same way within it share the figures of the first.
)
DECISION_CANDIDATES_MAX = 16  # Kept of one decision: the nearest sites, and the one chosen.
# Sessions of one service port whose site an ingress remembers: about 2 MB. The longest idle go.
SESSIONS_MAX = 10_000
SESSION_IDLE_S = 1_800.0  # A client that was away for longer begins again.

# identity.
CLAIM_BODY_BYTES_MAX = 16 * KIB
CLAIM_DEADLINE_S = 10.0
CLAIM_HEAD_BYTES_MAX = 8 * KIB
CLAIM_ANSWER_BYTES_MAX = 64 * KIB
CLAIM_CONNECTIONS_MAX = 64
CLAIM_CONNECTIONS_PER_SOURCE = 16  # Above it a source loses its oldest when no place is left.

# Single requests: the access log and traces.
ACCESS_LOG_BYTES_MAX = 10 * MIB  # As the router's own log.
ACCESS_LOG_FILES = 3
ACCESS_LOG_QUEUE_MAX = 8_192  # Lines that wait for the disk, of some 2 KiB at most.
ACCESS_LOG_BATCH = 256  # Written at once.
ACCESS_LOG_DELAY_S = 0.05  # They gather for that long: the writer wakes 20 times a second.
ACCESS_LOG_CLOSE_S = 2.0
ACCESS_ERRORS_BURST, ACCESS_ERRORS_PER_S = 1_000, 100.0  # Written whatever the share is.
ACCESS_PATH_BYTES_MAX = 1_024  # Of a path in a line; the rest is cut off.
TRACING_CLOSE_S = 3.0  # For spans that wait to leave when the router stops.

# admin.
ADMIN_BODY_BYTES_MAX = MIB
ADMIN_CONNECTIONS_MAX = 64  # Of the socket and of TCP each; half of them may follow events.
ADMIN_AHEAD_BYTES_MAX = 64 * KIB  # Kept of what a client sends ahead of its answers.
ADMIN_FIELD_BYTES_MAX = 8 * KIB  # Each field of a head, and its path; a credential has some 100.
ADMIN_FIELDS_MAX = 64  # Of a head; browsers and proxies send some 20.
ADMIN_IDLE_S = 75.0  # Between requests of a connection, for a whole one, and until a part is read.
ADMIN_LINGER_S = 1.0  # Read on behind a refusal, so that it arrives.
ADMIN_SHUTDOWN_S = 1.0  # For what is being answered when a door closes.
ADMIN_TAKEN_BYTES_MIN = 64 * KIB  # A client that reads less in `ADMIN_IDLE_S` reads nothing.
# The console: its own few connections, so that it is readable when clients fill the router.
CONSOLE_CONNECTIONS_MAX = 64  # Ten browsers; of who proved nothing, the source with most gives way.
CONSOLE_HANDSHAKES_MAX = 32  # On their way through TLS; the source with most gives way.
CONSOLE_BODY_BYTES_MAX = 256 * KIB  # A scenario that is simulated.
CONSOLE_HEAD_S = 10.0  # Of a new connection, for a whole head.
CONSOLE_IDLE_S = 30.0  # Between requests of a connection.
CONSOLE_REQUEST_S = 20.0  # To answer, and for the answer to be taken.
CONSOLE_STREAMS_MAX = 24  # Less than `EVENT_CLIENTS_MAX`: the unix socket is not kept out.
CONSOLE_STREAMS_PER_PATH_MAX = 12  # Less than `LIVE_CLIENTS_MAX`, for the same reason.
CONSOLE_COMPUTE_S = 60.0  # Longer than `SIMULATION_S` and its end.
CONSOLE_STREAM_S = 3_600.0  # Of one stream of events; browsers come again by themselves.
CONSOLE_STREAMS_LOOK_S = 1.0  # How often streams are looked at whose session is over.
CONSOLE_SESSIONS_MAX = 256  # The one that was used least recently gives way.
CONSOLE_SESSION_IDLE_S, CONSOLE_SESSION_S = 1_800.0, 43_200.0  # Unused, and whatever is done.
CONSOLE_OAUTH_SESSION_S = 14_400.0  # Who lost a right, or their account, looks no longer than that.
CONSOLE_OAUTH_TRY_S = 600.0  # From the login page to OpenShift and back, with a second factor.
CONSOLE_OAUTH_S = 15.0  # Of all questions of one login; less than `CONSOLE_REQUEST_S`.
CONSOLE_OAUTH_ANSWER_S = 8.0  # Of one of them; the others have their time too.
CONSOLE_OAUTH_ANSWER_BYTES_MAX = 64 * KIB  # A user with its groups; others have some 1 KiB.
CONSOLE_OAUTH_TEXT_BYTES_MAX = 4 * KIB  # A code or a token; those of OpenShift have 50 bytes.
CONSOLE_OAUTH_USER_BYTES_MAX = 256  # A name is kept with its session and told in events.
CONSOLE_OAUTH_AT_ONCE_MAX = 4  # Logins that are asked about; a stranger may begin some.
CONSOLE_OAUTH_LOOK_S = 60.0  # How often a cluster without OpenShift's OAuth is looked at again.
CONSOLE_USERS_MAX = 64
CONSOLE_HOSTS_MAX = 16
CONSOLE_RETRY_S = 2.0  # A listener or certificate that could not be had is tried again.
CONSOLE_PASSWORD_BYTES_MAX = 1_024
CONSOLE_USER_BYTES_MAX = 64  # It is the name of a file, or a key of a Secret.
CONSOLE_LOGIN_BYTES_MAX = 4 * KIB  # Of an Authorization header, and of the form's body.
CONSOLE_FAILURES_BURST, CONSOLE_FAILURE_EACH_S = 5, 3.0  # Wrong passwords of one source.
CONSOLE_SOURCES_MAX = 1_024  # Sources that failed lately; others share one account.
CONSOLE_FILES_MAX, CONSOLE_FILES_BYTES_MAX = 256, 4 * MIB
PROBES_CONNECTIONS_MAX = 16  # Anyone may ask: a kubelet, one or two Prometheus, some by hand.
START_LISTENS_S = 5.0  # A router is not ready before it listens where Services lead, or so long.
PROBES_SERVICES_WAIT_S = 30.0  # An application starts without its services, if they stay away.
EVENT_CLIENTS_MAX = 32
LIVE_CLIENTS_MAX = 16  # Of `/api/v1/live`: with those of events and flows less than connections.
FLOW_CLIENTS_MAX = 8  # Of `/api/v1/flows`, likewise.
FLOWS_KEPT = 2_000  # While flows are watched: 2 to 5 MB; and so many under way.
FLOWS_PER_S = 500  # Looked at; the others are counted. Each costs 6 µs, and 6 if it is shown.
FLOWS_WATCH_S = 60.0  # After a question, then nothing is looked at any more.
FLOWS_CLIENTS_MAX = 2_000  # Connections searched for what was under way before: some 3 ms.
FLOWS_COUNT_MAX = 1_000  # In one answer.
FLOWS_TICK_S = 0.25  # How often followers are told,
FLOWS_AGAIN_S = 2.0  # of what is still under way less often,
FLOWS_AGAIN_MAX = 100  # and not of all.
LIVE_EVERY_S = 1.0  # However many look.
LIVE_SHARE = 0.05  # Of the time may go into it: with 2,000 services it is made less often,
LIVE_LASTS_S_MAX = 10.0  # but so often at least: older figures are none of now.
SLICE_S = (
    0.001  # So long at once, and one item: then traffic goes on, whatever an operator asked for.
)
EVENT_CLIENT_STALL_S = 10.0  # One that reads nothing for so long is dropped.
EVENTS_KEPT = 1_000
SIMULATION_TEXT_BYTES_MAX = 64 * KIB  # Of a scenario; the longest of ours has 2 KiB.
SIMULATION_REQUESTS_MAX = 100_000  # Half a minute of one core; then it ends with what there is.
SIMULATION_S = 30.0  # Also then, for on a busy machine it comes after the traffic.
SIMULATION_END_S = 10.0  # It ends at its next step; one that does not is killed.
SIMULATION_MEMORY_BYTES_MAX = 512 * MIB  # Of its process; 100,000 requests need a fifth.
SIMULATION_AGAIN_S = 2.0  # One at a time: the second client is asked to come again.
WHAT_IF_WINDOW_S = 60.0  # Of what was recorded, unless more is asked for.
WHAT_IF_REQUESTS_MAX = 5_000  # Run twice in some five seconds; the newest of the window.
WHAT_IF_SITES_MAX = 16  # The cheapest: the others would have been asked last.
EVENTS_BURST = 100  # Of one code; then one each so many seconds. Strangers can cause some.
EVENTS_INTERVAL_S = 10.0
EVENTS_LOG_BYTES_MAX = 10 * MIB  # As the router's own log.
EVENTS_LOG_FILES = 3
EVENTS_LOG_SHARE = (
    1 / 16
)  # Of the file system at most, all files: a pod's is memory, 16 MiB of a sidecar.
EVENTS_LOG_QUEUE_MAX = 4_096  # Lines that wait for the disk; those beyond are lost, and told.
EVENTS_READ_BYTES_MAX = 4 * MIB  # Of the newest of run/events.log, at the start and for --since.
EVENTS_ANSWER_MAX = 10_000  # In one answer, the newest.
EVENT_CHANGES_MAX = 32  # Fields of a document in one event; the message counts the others.
EVENT_VALUE_CHARS_MAX = 200  # Of an old or new value.
TARGET_DOWNS_SHOWN = 4  # A target that went down so often is called unsteady,
TARGET_DOWNS_WITHIN_S = 600.0  # if it did within this time. A restart is one.
TARGET_DOWNS_COUNTED = 100  # Of each target; the note says that there may be more.
TARGET_STUCK_S = 10.0  # A full target that answers nothing for so long may hang,
TARGET_STUCK_TIMES = 10  # if that is so many times what nine of ten requests take.
TARGET_STUCK_AWAITED = 3  # So may one with free slots that is to answer so many requests,
TARGET_STUCK_LONGEST = 2  # if it also is so many times what the longest of late took.
USUAL_REQUESTS_MIN = 100  # That many of the last ended ones say what they usually take,
USUAL_SPAN_S = 60  # or those of one or two such spans, if they are more.
TARGET_ERRORS_S = 60.0  # Answers of 5xx are named by target if so many of them came within it,
TARGET_ERRORS_MIN = 3  # and they are more than `FAILING_SHARE` of its answers since the first one.
TARGET_STUCK_GAP_S = 3.0  # It is full all the same: a client gave up, and the next one comes.
EPISODE_QUIET_S = 10.0  # Requests that leave again within it belong to the same event.
ASKED_IN_VAIN_S = 60.0  # Without a target, clients that ask less often are named by events alone.
EPISODE_TOTALS_MAX = 4_096  # Services that are gone are forgotten above it.
EPISODE_SITES_SHOWN = 8  # Where it went; the rest is summed.
ABSENT_SITES_MAX = 1_024  # Rows of sites that are gone, all services together; the newest stay.
ABSENT_DETOUR_S = 5.0  # A way that a site had for less, before it was gone, is not named.
ABSENT_SITES_SHOWN_S = 600.0  # `why` names a site for so long after it is gone.
SITE_NAMES_MAX = 4_096  # Of sites that were reached since the start; more than one network has.
DEBUG_ROWS_MAX = 10_000  # Of each table in /api/v1/debug.
TOKENS_LOOK_S = 2.0  # How soon a token that was made, used or revoked is seen.
TOKENS_SHOWN_MAX = 1_024  # As many claims as a site grants.
TOKEN_CLAIMS_SHOWN_MAX = 64  # Redemptions of one token, the newest.
CLOCK_MOVED_S = 60.0  # Between two looks; certificates forgive five minutes.
STATE_FILE_BYTES_MAX = 64 * MIB  # 5,120 names with what is declared of them have some 10.
STATE_RETRY_S = 5.0  # How often a full disk is noticed, or something unreadable read again.
STATE_HEALS_S = 1.0  # A state file that could not be written is written again.
CONFIG_POLL_S = 1.0
CONFIG_ORDER_S = 0.5  # A command that wrote what a poll finds says so within that time, as a rule.
CONFIG_RESTS_S = (
    2.0  # A file as old gets another time by a write: file systems' clocks step by less.
)
CONFIG_LOOKS_AT_ONCE = 128  # Of so many files marks are read in a row, some 4 us each; then the
CONFIG_LOOK_PAUSE_S = 0.001  # thread rests, since Python's lock is not let go of in between.
CONFIG_READ_ALL_S = 60.0  # So often every file is read, whatever its times say.
CA_LOOK_S = 0.05  # While the CA is replaced: how soon it is seen who has taken it.
CA_REGISTER_S = 60.0  # So old may be what is known of sites that are away: 4,096 files.
CA_ASK_MAX = 10  # Neighbors told in one look: each answer is a signature and two writes.
CA_ASK_AGAIN_S = 5.0  # A neighbor that learned of another CA and did not ask for it.
CA_PROPOSE_AGAIN_S = 2.0  # A change of the CA that the cluster did not take.
CA_STUCK_S = 3_600.0  # Who is linked takes it within seconds; then the operator hears of others.
CA_GIVEN_MAX = 4_096  # Certificates remembered with the CAs that went along; some 100 bytes each.
CA_NAMES_SHOWN = 10  # Of sites that hold up a rotation.

# documents: wanted state as text.
CONFIG_FILE_BYTES_MAX = MIB  # 300 services are about 60 KiB.
CONFIG_FILES_MAX = 4_096
EXPORTED_METADATA_CHARS_MAX = (
    2_048  # Labels and annotations of one ServiceExport: every site is told.
)
EXPORTED_PODS_MAX = 64  # With names, of one ServiceExport: each is a service of the network.
# All of a site, a listener for each port of each: services keep the other half there.
EXPORTED_POD_LISTENERS_MAX = LISTENERS_PER_SITE // 2
CONFIG_MAPS_CHARS_MAX = 2 * MIB  # Of a namespace: reading them holds the loop for some 2 s.
CONFIG_DEPTH_MAX = 16  # Our deepest field is at 6; the composer recurses.
CONFIG_ERRORS_MAX = 100  # Reported per file; more is a wrong file, not many mistakes.
SELECTOR_CHARS_MAX = 4_096  # Some ten terms of the longest labels.
TARGETS_PER_CONNECTOR_MAX = 1_024
PORTS_PER_SERVICE_MAX = 64
NAME_CHARS_MAX = 63  # DNS-1123 label.
ROUTING_KEY_CHARS_MAX = 253  # Of Skupper v2: as long as a DNS name.
V2_OBJECTS_MAX = 2_000  # Of Skupper v2 in one text; more than a file of the largest size has.
HOST_CHARS_MAX = 253  # RFC 1123, 2.1; also what people call a gateway.
GATEWAY_ENTRIES_MAX = 1_024  # Bindings, forwards of one gateway's YAML: a host has fewer services.

# process.
STOOD_STILL_S = 2.0  # A process that was not run for longer says so: after 3 s its links fail.

# main: asking other sites of their targets.
INQUIRY_WAIT_S = 2.0
INQUIRY_TARGETS_MAX = 256  # Of one service port at one site; more are not shown.
INQUIRY_BYTES_MAX = 128 * KIB
INQUIRY_KEPT_S = 0.5  # Of 256 targets an answer takes 12 ms: who asks again gets the same one.
INQUIRY_ANSWERS_KEPT_MAX = 1_024  # Service ports with targets; 35 KiB each at the very most.
INQUIRY_ERROR_MAX = 160  # Characters; with the longest names all targets fit into the answer.
INQUIRY_STATE_S_MAX = 315_360_000.0  # Ten years: a date can be calculated from it.
# ping: rounds of one call, half of what `sitectl` waits for an answer, and how far apart.
PING_ROUNDS_MAX = 10
PING_INTERVAL_ROUNDS_S = 0.2
PINGS_AT_ONCE_MAX = 4  # Each is up to 32 streams in a round: one to each router on the way.
# check --traffic: a request to each site. `sitectl` waits 5 s for the answer.
TRIAL_S = 4.0
TRIAL_BODY_BYTES_MAX = MIB  # Of a response; then enough has come, and the rest is given up.
TRIALS_AT_ONCE_MAX = 4  # Services that are tried at the same time.
ECHO_BYTES_MAX = KIB  # Of an answer: a router id and a version.

REFUSALS_KEPT_MAX = 64  # Peers whose last refusal is remembered, so that it is told once.
LINK_REASONS_KEPT_MAX = 16  # Of a link that does not come up: so many are each told once.

UNAPPROVED_NOTES_MAX = 16  # All of them: sitectl access.
ACCESS_ROWS_MAX = 2_000  # Some 250 bytes each as JSON; a service can be asked for alone.

# What a site tells of itself, and asks of others.
SITE_ANSWER_BYTES_MAX = 256 * KIB  # 500 services with a few targets each; what is more is counted.
SITE_QUESTION_BYTES_MAX = 512
SITE_SERVICES_MAX = 1_000
SITE_LINKS_MAX = 512
SITE_PROBLEMS_MAX = 32
SITE_SERVED_MAX = 64  # Sites that served a service, the busiest.
SITE_TEXT_MAX = 400  # Characters of a problem.
SITE_KEPT_S = 2.0  # Ten consoles ask once, and what is told is gathered once.
SITE_READ_AT_ONCE = 20  # Service ports, a millisecond or two; then traffic goes on,
SITE_READ_PAUSE_S = 0.002  # for so long at least.
SITE_ANSWERS_KEPT_MAX = 64
SITE_ANSWERS_AT_ONCE_MAX = 8  # On their way: 2 MiB.
SITE_ANSWERS_PER_S = 20.0  # Made for one asker: a millisecond or two each.
SITE_ANSWERS_BURST = 40
SITE_QUESTIONS_AT_ONCE_MAX = 8
SITE_HISTORY_SAMPLES_MAX = 1_000
SITE_HISTORY_SITES_MAX = 64
SITE_HISTORY_STEP_S_MIN = 1.0  # A picture has a place for each step: 900 of a quarter of an hour.
# Between routers of one namespace: the one that writes there asks the others.
SIBLING_NEWS_EVERY_S = 2.0
SIBLING_NEWS_MAX = 64  # Events, problems and notes, of each; some 200 KiB with the longest texts.

# kubernetes: the API server, and what a site reads and writes there.
API_CALL_S = 30.0  # One call with all its repetitions.
API_ATTEMPT_S = 10.0  # A healthy server answers in well under one second.
API_ATTEMPTS_MAX = 5
API_BACKOFF_S, API_BACKOFF_MAX_S = 0.2, 10.0  # Doubling, jittered by half.
API_PERSON_CALL_S, API_PERSON_ATTEMPTS_MAX = 20.0, 3  # Of a command: a person waits.
API_PERSON_ATTEMPT_S = 5.0
API_RETRY_AFTER_MAX_S = 60.0  # What a throttling server may ask us to wait.
API_PLAIN_ANSWER_BYTES_MAX = 1000  # Of a refusal in plain text: more is a page of a proxy.
API_IDLE_CONNECTIONS_MAX = 8  # Kept for the next call.
API_LIST_PAGES_MAX = 500  # A list of more than 100,000 objects has no end.
API_ANSWER_BYTES_MAX = 32 * MIB  # A page of larger objects is asked for in smaller parts.
API_PAGE_OBJECTS = 200  # Of a list: decoding a page of Pods holds the loop for some 5 ms.
WATCH_S = 540  # The server ends each watch then. Bookmarks keep it from being cut as idle before.
WATCH_SILENCE_S = 90.0  # A silent watch is opened again. Most servers send a bookmark a minute.
WATCH_HEALTHY_S = 5.0  # A watch that ends sooner counts as a failure.
WATCH_BACKOFF_MAX_S = 15.0  # Within it a server that came back is noticed.
WATCH_REFUSED_S = 30.0  # Between tries to read a kind without a right, once some have failed.
REVOCABLE_WATCH_S = 60  # As WATCH_S, of another namespace: its permission may be taken back.
REVOKED_AGAIN_S = 10.0  # Until it is asked again: a server that starts may refuse for a moment.
WATCH_ABSENT_S = 600.0  # Between looks whether the cluster has a kind by now.
CUSTOM_KINDS_S = 60.0  # Between looks which custom resources the cluster serves.
CUSTOM_KINDS_IDLE_S = 120.0  # The same while it serves none, or none may be read.
CUSTOM_KIND_SETTLES_S = 0.5  # Discovery shows that a kind is being removed within it.
WATCH_LINE_BYTES_MAX = 4 * MIB  # etcd holds objects of up to 1.5 MiB; JSON escapes some.
OBJECTS_SETTLE_S, OBJECTS_SETTLE_MAX_S = 0.02, 0.5  # Changes of objects gather for that long.
POD_END_LATE_S = 10.0  # After its grace period a Pod that is still listed is on a lost node.
LEASE_S = 15  # Routers of one site: another writes once a holder was silent for that long.
LEASE_HELD_S = 10.0  # After it a holder that could not renew stops, before another begins.
LEASE_RENEW_S, LEASE_RELEASE_S = 5.0, 2.0
LEASE_ALONE_S, LEASE_ALONE_HELD_S, LEASE_ALONE_RENEW_S = 60, 45.0, 30.0  # As the only router.
STATUS_LOOK_S, STATUS_EVERY_S = 5.0, 30.0  # Written at most that often when it changed.
CLUSTER_SET_STATUS_EVERY_S = 5.0  # Of one ServiceExport or ServiceImport: conformance waits 20 s.
V2_STATUS_EVERY_S = 10.0  # Of one object of Skupper v2: its command line waits 30 s for some.
STATUS_AGAIN_S = 120.0  # Written again all the same: it holds, and nothing of others is in it.
STATUS_VALID_S = 300.0  # More than two such spans: after it no router runs, or none may write.
STATUS_ITEMS_MAX = 50  # Links, problems and notes in it, of each; some 32 KiB.
STATUS_TEXT_CHARS_MAX = 512  # Of one message or hint in it.
STATUS_NOTES_MAX = 200  # In one answer; each object of a namespace may give one.
OBJECT_EVENT_AFTER_S = 5.0  # A finding that passes sooner is no Event: objects come in any order.
OBJECT_EVENT_AGAIN_S = 1_800.0  # The API forgets Events after an hour.
OBJECT_EVENT_RETRY_S = 60.0
OBJECT_EVENTS_EVERY_S, OBJECT_EVENTS_BURST = 5.0, 10
OBJECT_EVENTS_MAX = 10  # Of one object.
OBJECT_EVENTS_KEPT = 256  # Of the journal, to be counted on; the one heard longest ago goes.
OBJECT_EVENT_CHARS = 1_024  # The API takes no more.
OBJECT_EVENT_NAME_CHARS = 200  # Of an object's name in that of its Event.
API_AWAY_S = 5.0  # An API server that is gone, or refuses, for less is being upgraded.

# history.
HISTORY_STEP_S = 5.0
HISTORY_STEPS = (
    180  # A quarter of an hour: of a service port that is busy at 4 sites 40 KB, idle 6.
)
HISTORY_S = HISTORY_STEP_S * HISTORY_STEPS
HISTORY_FIRST_S = 0.5  # Of a service port that is new: of less, figures a second say little.
HISTORY_LOOK_S = 0.25  # What is in flight is read once in each: twenty looks make a mean of a step.
HISTORY_STALL_S = 1.0  # So late, the router stood still: what was asked meanwhile comes at once.
HISTORY_STALLS_MAX = 4  # In a step, which each makes longer.
HISTORY_PORTS_MAX = 300  # Service ports: 16 MB if all are busy all the time at 4 sites each.
HISTORY_SITES_MAX = 16  # Of one sample; the others are one.
HISTORY_GONE_SITES_MAX = 256  # Whose ids and costs are kept while samples name them; the newest.
GAVE_UP_SHARE = 0.5  # Of the requests of a service port: more is a note. Some clients always go.
FAILING_SHARE = 0.05  # Of the requests of a service port: more is a problem, as an alert has it.
HISTORY_READ_AT_ONCE = 20  # Service ports, less than a millisecond; then traffic goes on.

# knees.
KNEE_SAMPLES_AT_ONCE = 8  # Requests timed of a service port each `HISTORY_LOOK_S`: 1 µs each.
KNEE_SAMPLES_MIN = 30  # Fewer say nothing of a level.
KNEE_KEPT_S = 900.0
KNEE_SLICE_S = 15.0  # Latencies of one slice are compared: of different times nothing is.
KNEE_SLICES_MIN = 5  # Fewer with both, calm and a level, say nothing of that level.
KNEE_STEPS_MAX = 2  # So many changes of a target's own speed in `KNEE_KEPT_S` feign no knee.
KNEE_IN_FLIGHT_MAX = 1_024  # At one target; more count as that many.
KNEE_TARGETS_MAX = 100  # Of one service port: 2 KB for each level that was seen.

# bursts.
BURSTS_MAX = 64  # Burst documents of one site: each is looked at four times a second.
BURST_SAMPLE_S = 0.25  # Full or not is a matter of the moment: a window of 5 s has 20 looks.
BURST_WINDOW_S, BURST_WINDOW_S_MIN, BURST_WINDOW_S_MAX = 30.0, 2.0, 3_600.0
BURST_WINDOW_PARTS = 40  # A window slides by such a part of itself; memory is the same for all.
BURST_REQUESTS_MIN = 10  # In a window, before shares of requests and their mean wait say a thing.
BURST_PANIC_S, BURST_PANIC_SHARE = 6.0, 2.0  # Twice the capacity is wanted: as Knative has it.
BURST_PANIC_SHARE_MAX = 100.0
BURST_REFUSED_SHARE = 0.01  # One of a hundred clients turned away is beyond any queue.
BURST_CALM_FOR_S = 300.0  # Clouds take minutes to make what calm takes away.
BURST_COOL_DOWN_S = 600.0
BURST_WEBHOOK_TIMEOUT_S, BURST_WEBHOOK_TRIES = 10.0, 5
BURST_WEBHOOK_BACKOFF_S, BURST_WEBHOOK_BACKOFF_MAX_S = 0.5, 30.0  # Doubling.
BURST_RUN_S, BURST_RUN_S_MAX = 60.0, 3_600.0
BURST_KILL_S = 2.0  # From SIGTERM to SIGKILL of a command that takes too long.
BURST_OUTPUT_BYTES_MAX = 4 * KIB  # Kept of what a hook answers or prints; the rest is read away.
BURST_TEXT_CHARS_MAX = 300  # Of that in status, problems and events.
BURST_AGAIN_S, BURST_AGAIN_MAX_S = 30.0, 600.0  # Until a hook that failed is run again, doubling.
BURST_COMMAND_WORDS_MAX = 64
BURST_READ_PAUSE_S = 0.001  # Between 64 KiB that a command prints beyond that: some 5 % CPU.
UNIX_S_MAX = 253_402_300_799.0  # The end of the year 9999, the last that dates can name.
BURST_OBJECT_VALUES_MAX = 2_048  # In one manifest; etcd takes 1.5 MiB, people write some 30.

# kubernetes: secrets.
TRUST_SETTLED_S = 60.0  # Between looks at addresses and ends of certificates when all is done.
TRUST_CALLS_MAX = 8  # Secrets that one router writes at a time; a server takes hundreds.
TRUST_OPEN_S = 5.0  # Until what failed or waits is tried again.
TRUST_READY_S = 5.0  # At the start, for TLS credentials of services; the others are there.
OWNERS_EVERY_S = 5.0  # Between writes of the owners of names: all of them are one object.
TRUST_LAST_S = 3.0  # At the end, for what was not kept yet; the drain comes after it.
CLAIM_ANSWER_S = 9.0  # A claim judged by the API later than this reaches no caller: see above.
OTHER_NAMESPACES_MAX = 16  # Whose pods are targets; each is two connections that stay.
OTHER_NAMESPACES_READY_S = 5.0  # At the start, for their pods: else requests find no target here.
TLS_WATCHES_MAX = 64  # Secrets named and not labeled; each is a connection that stays.
SECRET_TRIES_MAX = 5  # Of one change that others overtake; the next look tries it again.
# The sites of one first digit: 4,096 of them are some 350 KiB each; an API server takes 1 MiB.
ADMITTED_SECRET_BYTES_MAX = 960 * KIB
GRANT_KEPT_S = 86_400.0  # Of an expired claim without a use: `token status` still knows it.
REFILL_S = 10.0  # A token request that was emptied is filled no more often.

# kubernetes: Services that lead to the routers.
INNER_PORT_MIN = 1_024  # Below it a process needs a right that restricted pods do not have.
INNER_PORT_MAX = 32_767  # Above it the kernel takes ports for outgoing connections.
SERVICE_PORTS_UNASKED_MAX = 2_048  # Each: five variables in every new pod, which has room for 2 MB.
INNER_PORTS_KNOWN_MAX = 16_384  # Numbers kept for services that are gone; they may come back.
# Another program (Argo CD, Flux, an operator) puts a Service's selector back and we ours: more
# often than that is a fight, which ends here. One more attempt each time that long has passed.
SERVICE_REVERTS_MAX, SERVICE_REVERTS_WITHIN_S = 5, 3_600.0
SERVICE_WRITES_BURST, SERVICE_WRITES_PER_S = 100, 50.0  # 300 Services at once: 4 s.
SERVICE_RETRY_S, SERVICE_RETRY_MAX_S = 1.0, 60.0  # Of one object that was refused, doubling.
SERVICE_URGENT_EVERY_S = 0.25  # Between repairs of one Service that people apply over and over.
SERVICE_CHANGES_BURST, SERVICE_REST_MAX_S = 8, 600.0  # Of one object; then ever more rarely.
SERVICE_SEEN_WITHIN_S = 5.0  # A watch shows what we wrote; then we look whether it is so.
SERVICE_LISTEN_LOOK_S = 1.0  # A listener that waits (for a certificate, a port) is silent.
RIGHTS_LOOK_S = 300.0  # A right that an administrator adds counts within that time.
ENDPOINTS_PER_SLICE_MAX = 1_000  # What the API takes in one EndpointSlice.
SKUPPER_REACTS_WITHIN_S = 2.0  # Its controller, or our router, while a service migrates.
SKUPPER_UNASKED_WITHIN_S = (
    0.3  # Where only Skupper's command line does: no router serves meanwhile.
)
SKUPPER_PROXIES_S = 2.0  # kube-proxy syncs each second at most; our routers listen meanwhile.

# kubernetes: the site controller.
CONTROLLER_WORKERS = 4  # Namespaces looked after at once: a site is some ten calls.
CONTROLLER_RESYNC_S = 300.0  # What no watch tells is found then; a look costs no call.
CONTROLLER_RETRY_S, CONTROLLER_RETRY_MAX_S = 0.5, 60.0  # Of one namespace, doubling.

# callers: who calls whom.
CALLERS_MAX = 300  # Names that are kept apart; others are counted together.
CALLER_ADDRESSES_MAX = 100  # Of these, addresses without a name: the internet has many.
CALLER_EDGES_MAX = 1000  # Caller, service port and serving site: some 5 KiB each.
TARGET_EDGES_MAX = 1000  # Service port and target of this site: as large.
TARGET_CLIENT_SITES_MAX = 4000  # Of these by the site of the clients: some 150 bytes each.
CALLER_SLICE_S = 2.0  # Connections of one address in it are of one caller, or of an unknown one.
CALLER_LONG_SLICE_S = 10.0  # So long while a quarter of the next number waits.
CALLER_SLICES_MAX = 4000  # Slices whose caller is not settled; more are counted as others.
CALLER_UNSETTLED_S = 120.0  # After that the caller is shown by its address.
CALLER_LATE_S = 10.0  # What the API server tells of pods is at most so old.
CALLER_STALL_S = 3.0  # What gathered while nothing came is read within this time.
CALLER_MINUTE_S = 60.0  # Figures of now are of one to two of these.
CALLER_STEP_S = 300.0  # A step of the history.
CALLER_STEPS = 288  # Of the history: a day of them.
CALLER_CROWDED_STEPS = 13  # With 3/4 of the names taken, a caller goes after an idle hour.
CALLER_TENURE_S = 600.0  # Who had an address is remembered so long after;
CALLER_TENURES_MAX = 16  # so many of one address.
CALLER_LOOK_S = 1.0  # What is settled and due is looked for so often.
CALLER_AGAIN_S = 10.0  # After a fault of ours, podman is asked again.
CALLER_QUERIES_PER_S = 350  # Sockets of this host that are looked up: under 2 % of a core.
