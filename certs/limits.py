"""Every bound of this package, with its reason. Units are in the names; bare numbers count."""

KIB = 1024
MINUTE_S = 60
DAY_S = 86_400

# Certificates.
CA_LIFE_S = 2 * 365 * DAY_S
# A week: renewed from the fifth day on, so that a weekend with either host off costs nothing, and a
# stolen certificate is soon useless. A site that was off for longer rejoins by its identity.
LEAF_LIFE_S = LINK_LEAF_LIFE_S = 7 * DAY_S
LINK_LEAF_LIFE_UNRENEWED_S = 365 * DAY_S  # For dialers that cannot renew.
TOKEN_CERTIFICATE_LIFE_S = 365 * DAY_S  # A file in a Git repository is seldom checked.
LINK_LEAF_LIFE_MAX_S = 366 * DAY_S  # Maximum for any link certificate: a stolen one ends some day.
SERVICE_LEAF_LIFE_S = 365 * DAY_S  # Made on request; `status` warns before it ends.
CONSOLE_LEAF_LIFE_S = 90 * DAY_S  # Users whose browsers accepted it are not asked again each week.
CA_OVERLAP_S = 30 * DAY_S  # Each phase of a rotation waits this long for sites that are away.
CA_HURRIED_S = 60  # `ca rotate --now`: a linked site completes it within moments, or is stuck.
CA_READINGS_MAX = 5  # Readings of three related files while another process writes them.
RENEW_AT_SHARE = 2 / 3  # Of the life: a third is left for a site that is off.
# Of the life, before two thirds of it: 1,000 sites that joined at once renew one a minute.
RENEW_SPREAD_SHARE = 0.1
BACKDATE_S = 300  # Clocks of two sites differ; at most a tenth of the life.
COMMON_NAME_CHARACTERS_MAX = 64  # RFC 5280, ub-common-name.
CHAIN_CERTIFICATES_MAX = 8
TERMS_BYTES_MAX = 2 * KIB  # A router announces those of all its neighbors in one LSA.
TERMS_PATTERNS_MAX = 64  # Per field; a certificate travels in every handshake.

# Files.
# A file is written within moments; older ones are left from a crash.
TEMPORARY_KEPT_S = 10 * MINUTE_S
LOCK_RETRY_S = 0.01  # Of a lock that another process may have for a moment.
SECRET_FILE_BYTES_MAX = 256 * KIB
REVOKED_FILE_BYTES_MAX = 4 * 1024 * KIB

# Tokens.
TOKEN_BYTES_MAX = 64 * KIB
TOKEN_DEPTH_MAX = 8  # A Secret needs 3; the metadata of tools adds a little.
TOKEN_ENDPOINTS_MAX = 16
NAME_CHARACTERS_MAX = 63
SITE_NAME_CHARACTERS_MAX = 63  # As in a Site document.
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
CLAIM_SOURCES_MAX = 4_096  # Entries of the rate limit.

# Register.
ADMITTED_MAX = 4_096  # Sites that may link here: as many as a network has.
ADMITTED_FILE_BYTES_MAX = 192 * KIB  # For one site: its chains, of at most some 4 KiB each.
# Valid certificates of one site, two per router. At the limit it waits until one ends: revoking one
# instead would let it fill ``revoked.json``.
ISSUED_PER_SITE_MAX = 32
SEEN_EACH_S = DAY_S  # How often "last seen" is written.
GRANTS_MAX = 1_024
GRANT_FILE_BYTES_MAX = 4 * 1024 * KIB
