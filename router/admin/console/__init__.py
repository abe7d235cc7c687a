"""The console: a page for browsers and the read-only API, for logged-in users.

In: the `AdminApi` with its read-only routes, users with their passwords, static files. Out: HTTP on
a separate listener with a few dedicated connections, so that neither clients of services nor
strangers keep an operator out. It changes nothing: commands are not served here.

`auth`, `gate` and `openshift` decide and are pure · `login_page` the page for logging in · `static`
the files · `door` the application · `openshift_door` its login by a cluster · `listener` the
listener. `operate.consoles` supplies users and certificate.
"""
