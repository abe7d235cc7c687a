"""How a site joins another: a token is issued, its claim redeemed once, and both ends are here.

In: a site's CA and what the other asks for. Out: tokens, answers to claims, credentials.
What is kept of a link after that is in `certs.links`, which knows no claim.
"""
