"""How a site joins another: a token is issued and its claim redeemed once, at both ends.

In: a site's CA and the other site's request. Out: tokens, answers to claims, credentials. After
that, `certs.links` stores a link's credentials; it knows no claims.
"""
