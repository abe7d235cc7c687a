"""The console's door: a page for browsers and the API to read, for who has logged in.

In: the `AdminApi` whose reading routes are shown, users with their passwords, static files. Out:
HTTP on a listener of its own with its own few connections, so that neither clients of services nor
strangers keep an operator out. It changes nothing: commands are not served here.

`auth`, `gate` and `openshift` decide and are pure · `login_page` what they log in with · `static`
the files · `door` the application · `openshift_door` its login by a cluster · `listener` the
listener. `operate.consoles` supplies users and certificate.
"""
