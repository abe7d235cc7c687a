"""Names the callers behind client connections: on a host by the kernel, in a namespace by its pods.

`host_names` and `namespace_names` implement `router.callers.names.CallerNames`. `socket_owners`
asks the kernel for the owner of a socket, `control_groups` finds the unit or container of a group,
`containers` asks podman for the addresses of its networks.
"""
