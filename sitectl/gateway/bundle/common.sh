LC_ALL=C
export LC_ALL
umask 077

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "Error: $1"
    if [ -n "${2:-}" ]; then say "Next: $2"; fi
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
sum_of() {
    sum_line=$(sha256sum <"$1") || return 1
    printf '%s' "${sum_line%% *}"
}

# replaced TEXT FROM TO: every FROM is TO; no other tool, no character is special.
replaced() {
    done_part='' rest_part=$1
    while :; do
        case $rest_part in
        *"$2"*)
            done_part=$done_part${rest_part%%"$2"*}$3
            rest_part=${rest_part#*"$2"}
            ;;
        *) break ;;
        esac
    done
    printf '%s' "$done_part$rest_part"
}

uid=$(id -u)

# Where sitectl keeps the gateways of this user, should it be installed here one day.
if [ -n "${SITECTL_STATE:-}" ]; then
    state=$SITECTL_STATE/gateways.d
elif [ "$uid" = 0 ] && [ -z "${XDG_DATA_HOME:-}" ]; then
    state=/var/lib/spillway/gateways.d
else
    state=${XDG_DATA_HOME:-${HOME:?}/.local/share}/spillway/gateways.d
fi
case $state in /*) ;; *) state=$(pwd -P)/$state ;; esac

if [ "$uid" = 0 ]; then
    scope=system
    quadlets=/etc/containers/systemd
    units=/etc/systemd/system
    manager=/run/systemd/system
else
    scope=user
    quadlets=${XDG_CONFIG_HOME:-${HOME:?}/.config}/containers/systemd
    units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
    manager=${XDG_RUNTIME_DIR:-/run/user/$uid}/systemd/private
fi
quadlet=$quadlets/$unit.container
plain=$units/$unit.service

has_manager() { [ -e "$manager" ] && has systemctl; }
manage() {
    if [ "$scope" = user ]; then systemctl --user "$@"; else systemctl "$@"; fi
}
# names_us FILE: whether a unit file is of the gateway in this directory.
names_us() {
    [ -f "$1" ] || return 1
    case $(cat -- "$1") in *"$directory"*) return 0 ;; *) return 1 ;; esac
}
# is_ours ENGINE: whether the container of our name is of the gateway in this directory.
is_ours() {
    label=$("$1" container inspect --format "{{index .Config.Labels \"$directory_label\"}}" \
        "$unit" 2>/dev/null) || return 1
    [ "$label" = "$directory" ]
}
# has_container ENGINE: whether there is a container of our name, anybody's.
has_container() { "$1" container inspect "$unit" >/dev/null 2>&1; }
