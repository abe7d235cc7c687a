"""Every bound of this package, with its reason. Units are in the names; a bare number counts."""

KIB = 1024
MINUTE_S = 60
DAY_S = 86_400

# Certificates.
CA_LIFE_S = 2 * 365 * DAY_S
# A week: renewed from the fifth day on, so that a weekend without either end's host costs nothing,
# and what was stolen is of no use soon. Who was off for longer rejoins by its identity.
LEAF_LIFE_S = LINK_LEAF_LIFE_S = 7 * DAY_S
LINK_LEAF_LIFE_UNRENEWED_S = 365 * DAY_S  # For diallers that cannot renew.
TOKEN_CERTIFICATE_LIFE_S = 365 * DAY_S  # A file in a Git repository is seldom looked at.
LINK_LEAF_LIFE_MAX_S = 366 * DAY_S  # Of any that admits to links: what was stolen ends some day.
SERVICE_LEAF_LIFE_S = 365 * DAY_S  # Made on request; `status` warns before it ends.
CONSOLE_LEAF_LIFE_S = 90 * DAY_S  # People who had browsers accept it are not asked each week.
CA_OVERLAP_S = 30 * DAY_S  # Each phase of a rotation waits so long for sites that are away.
CA_HURRIED_S = 60  # `ca rotate --now`: who is linked takes it within moments, or is stuck.
CA_READINGS_MAX = 5  # Of three files that belong together, while another process writes them.
RENEW_AT_SHARE = 2 / 3  # Of the life: a third is left for a site that is off.
RENEW_SPREAD_SHARE = 0.1  # Of the life, before two thirds: 1,000 that joined at once come one a
# minute.
BACKDATE_S = 300  # Clocks of two sites differ; at most a tenth of the life.
COMMON_NAME_CHARACTERS_MAX = 64  # RFC 5280, ub-common-name.
CHAIN_CERTIFICATES_MAX = 8
TERMS_BYTES_MAX = 2 * KIB  # A router states those of all its neighbours in one LSA.
TERMS_PATTERNS_MAX = 64  # Each way; a certificate travels in every handshake.

# Files.
TEMPORARY_KEPT_S = 10 * MINUTE_S  # A file is written within moments; older ones a crash left.
SECRET_FILE_BYTES_MAX = 256 * KIB
REVOKED_FILE_BYTES_MAX = 4 * 1024 * KIB

# Tokens.
TOKEN_BYTES_MAX = 64 * KIB
TOKEN_DEPTH_MAX = 8  # A Secret needs 3; what tools add to its metadata a little more.
TOKEN_ENDPOINTS_MAX = 16
NAME_CHARACTERS_MAX = 63
SITE_NAME_CHARACTERS_MAX = 63  # As a Site document's.
HOST_CHARACTERS_MAX = 253
COST_MIN, COST_MAX = 1, 65_535
CLAIM_SECRET_BYTES = 20  # 160 bits, 32 characters of base32 without padding.

# Claims.
CLAIM_BODY_BYTES_MAX = 16 * KIB
CLAIM_ANSWER_BYTES_MAX = 64 * KIB
CLAIM_EXPIRY_S = 15 * MINUTE_S
CLAIM_TRIES_MAX = 10  # Wrong codes; then the claim is locked for good.
CLAIM_USES_MAX = 1_000  # Each leaves a chain in the grant.
CLAIMS_PER_SOURCE_PER_MIN = 5
CLAIM_SOURCES_MAX = 4_096  # Remembered for the rate limit.

# Register.
ADMITTED_MAX = 4_096  # Who may link here: as many sites as a network has.
ADMITTED_FILE_BYTES_MAX = 192 * KIB  # Of one site: its chains, of at most some 4 KiB.
ISSUED_PER_SITE_MAX = 32  # Certificates of one site that still count; each of its routers needs
# two. Then it waits until one ends: revoking one instead would let it fill ``revoked.json``.
SEEN_EACH_S = DAY_S  # How often "last seen" is written down.
GRANTS_MAX = 1_024
GRANT_FILE_BYTES_MAX = 4 * 1024 * KIB
