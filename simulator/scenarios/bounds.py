"""Every bound of a simulation, with its reason."""

DURATION_S_MAX = 6 * 3600.0  # Idle routers talk, too: an hour of three takes half a minute.
REQUESTS_MAX = 1_000_000  # Several minutes of real time, and some 300 bytes of memory each.
RUN_REQUESTS_MAX = 1_100_000  # Ends a run: clients that are refused ask again at once.
RATE_PER_S_MAX = 20_000.0
CLIENTS_MAX = 2_000  # Of one closed loop: each is a connection.
SITES_MAX = 32
TARGETS_MAX = 500  # In all: each target is checked and counted by its router.
SERVICES_MAX = 16
CALLS_MAX = 100  # Of one request to one service; the total is bounded by `REQUESTS_MAX`.
ANSWER_BYTES_MAX = 1024 * 1024 * 1024
ADVICE_PLANS_MAX = 40  # Each is a whole run.
LISTS_MAX = 500  # Links, arrivals, events.
LOG_BYTES_MAX = 64 * 1024 * 1024
SETTLE_S = 5.0  # Links come up and loads are reported before the first request.
CLIENT_TIMEOUT_S, CLIENT_TIMEOUT_S_MAX = 30.0, 600.0  # How long clients wait for an answer.
AFTER_S = 5.0  # After that time and the last arrival, all requests are over.
BINS = 60  # Steps of time in tables and pictures.
