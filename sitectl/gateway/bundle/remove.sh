#!/bin/sh
# Removes the gateway that launch.sh of this bundle launched, with all of its state.
set -eu
@SETTINGS@
@COMMON@
directory=$state/$name
if [ -d "$state" ]; then directory=$(CDPATH='' cd -- "$state" && pwd -P)/$name; fi

image_kept=''
if [ -f "$directory/.image" ]; then image_kept=$(cat -- "$directory/.image"); fi

if names_us "$quadlet" || names_us "$plain"; then
    if has systemctl; then
        manage disable --now "$unit.service" >/dev/null 2>&1 ||
            manage stop "$unit.service" >/dev/null 2>&1 || :
    fi
    for file in "$quadlet" "$plain"; do
        if names_us "$file"; then rm -f -- "$file"; fi
    done
    if has_manager; then manage daemon-reload || :; fi
fi
for engine in podman docker; do
    if has $engine && is_ours $engine; then $engine rm --force --volumes "$unit" >/dev/null; fi
    if [ -n "$image_kept" ] && [ "$image_kept" = "$image" ] && has $engine; then
        $engine image rm "$image_kept" >/dev/null 2>&1 || :
    fi
done
if [ -d "$directory" ]; then
    if [ -f "$directory/runtime.yaml" ] && has sitectl; then
        sitectl --state "${directory%/*}" --site "$name" stop >&2 || :
        sitectl --state "${directory%/*}" --site "$name" delete --yes >&2 || :
    fi
    rm -rf -- "$directory"
    rmdir -- "${directory%/*}" 2>/dev/null || :
    say "gateway $name is removed from this host"
else
    say "gateway $name is not on this host, nothing to remove"
fi
say "Its credential stays good until $expires. Next, at site $site: $revoke"
