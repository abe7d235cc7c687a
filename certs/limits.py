"""Every bound of this package, with its reason. Units are in the names; a bare number counts."""

KIB = 1024
MINUTE_S = 60
DAY_S = 86_400

# Certificates.
CA_LIFE_S = 2 * 365 * DAY_S
LEAF_LIFE_S = 30 * DAY_S  # Renewed by itself, so it can be short.
LINK_LEAF_LIFE_S = 365 * DAY_S  # Of what a claim yields: not yet renewed over the link.
TOKEN_CERTIFICATE_LIFE_S = 365 * DAY_S  # Nobody watches a file in a Git repository.
SERVICE_LEAF_LIFE_S = 365 * DAY_S  # Made on request; `status` warns before it ends.
RENEW_AT_SHARE = 2 / 3  # Of the life: a third is left for a site that is off.
BACKDATE_S = 300  # Clocks of two sites differ; at most a tenth of the life.
COMMON_NAME_CHARACTERS_MAX = 64  # RFC 5280, ub-common-name.
CHAIN_CERTIFICATES_MAX = 8

# Files.
TEMPORARY_KEPT_S = 10 * MINUTE_S  # A file is written within moments; older ones a crash left.
SECRET_FILE_BYTES_MAX = 256 * KIB
REVOKED_FILE_BYTES_MAX = 4 * 1024 * KIB

# Tokens.
TOKEN_BYTES_MAX = 64 * KIB
TOKEN_DEPTH_MAX = 8  # A Secret needs 3; what tools add to its metadata a little more.
TOKEN_ENDPOINTS_MAX = 16
NAME_CHARACTERS_MAX = 63
SITE_NAME_CHARACTERS_MAX = 253
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
GRANTS_MAX = 1_024
GRANT_FILE_BYTES_MAX = 4 * 1024 * KIB
