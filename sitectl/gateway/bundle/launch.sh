#!/bin/sh
# Launches a Spillway gateway on this host: see README.txt. Typed again, it changes nothing.
set -eu
@SETTINGS@
@COMMON@
usage() {
    say "usage: $0 [-t service|podman|docker]"
    say "  service  systemd, with sitectl installed here (the default, as Skupper's)"
    say "  podman   a container, by systemd where it runs; nothing else is needed"
    say "  docker   a container that docker starts again"
}
type=service
while getopts t:h flag; do
    case $flag in
    t) type=$OPTARG ;;
    h)
        usage
        exit 0
        ;;
    *)
        usage
        exit 2
        ;;
    esac
done
case $type in
service | podman | docker) ;;
*)
    usage
    fail "gateway type must be one of service, docker or podman"
    ;;
esac

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
user=$(id -un 2>/dev/null || printf '%s' "$uid")
for file in SHA256SUMS site/secrets/identity.key; do
    [ -r "$here/$file" ] || fail "$here/$file cannot be read by $user" \
        "unpack the bundle as the user who shall run the gateway: tar -xzf $name.tar.gz"
done
(cd -- "$here" && sha256sum --check --quiet SHA256SUMS >&2) ||
    fail "the bundle is damaged, or was changed after it was made" "unpack $name.tar.gz again"

# Only these paths mean themselves in a mount and in a unit alike.
case $state in
*[:,\$%\"\'\\]* | *[[:cntrl:]]*)
    fail "$state cannot be mounted into a container: it holds one of : , \$ % \" ' \\" \
        "keep it elsewhere: SITECTL_STATE=DIRECTORY $0 -t $type"
    ;;
esac

# What the chosen type needs, before anything is written.
require_sitectl() {
    if has sitectl; then return; fi
    install='sh install.sh of a release (docs/image.md)'
    python=''
    for candidate in python3.13 python3.12 python3.11 python3; do
        if has "$candidate" && "$candidate" -c \
            'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -n "$python" ]; then
        hint="$install, then type this again"
    elif has python3; then
        say "$(python3 --version 2>&1) is too old: Python 3.11 or newer is needed."
        hint="dnf install python3.12 (RHEL 9), then $install"
    else
        hint="dnf install python3.12, then $install"
    fi
    fail "type service runs sitectl, which is not installed" "$hint; or: $0 -t podman"
}
if [ "$type" = service ]; then
    require_sitectl
elif ! has "$type"; then
    fail "$type is not installed" "dnf install $type, or apt install $type"
fi

mkdir -p -- "$state"
directory=$(CDPATH='' cd -- "$state" && pwd -P)/$name

# The gateway that is here may be another one of this name: two identities are two gateways.
if [ -e "$directory/secrets/identity.key" ] &&
    [ "$(sum_of "$directory/secrets/identity.key")" != "$(sum_of "$here/site/secrets/identity.key")" ]; then
    fail "another gateway $name lives in $directory" \
        "sh remove.sh (of the bundle it came from, or of this one), then type this again"
fi
for engine in podman docker; do
    if has $engine && has_container $engine && ! is_ours $engine; then
        fail "a container $unit is here that is not this gateway's" "$engine rm --force $unit"
    fi
done
for file in "$quadlet" "$plain"; do
    if [ -e "$file" ] && ! names_us "$file"; then
        fail "$file is not this gateway's" "move it away"
    fi
done

changed=''
# put FILE PLACE: as FILE, in one step, so that an interruption leaves the old one or the new one.
put() {
    mkdir -p -- "$(dirname -- "$2")"
    cat -- "$1" >"$2.new$$"
    mv -f -- "$2.new$$" "$2"
    changed=yes
}
put_text() {
    if [ -f "$2" ] && [ "$(cat -- "$2")" = "$1" ]; then return; fi
    mkdir -p -- "$(dirname -- "$2")"
    printf '%s\n' "$1" >"$2.new$$"
    mv -f -- "$2.new$$" "$2"
    changed=yes
}
laid=$directory/.bundle # What earlier launches laid into config/: a user's change is told from it.
laid_sum() {
    [ -f "$laid" ] || return 0
    while read -r sum file; do
        if [ "$file" = "$1" ]; then printf '%s' "$sum"; fi
    done <"$laid"
}
lay_config() {
    list=''
    for file in "$here"/site/config/*.yaml; do
        base=${file##*/}
        wanted=$(sum_of "$file")
        place=$directory/config/$base
        list="$list$wanted $base
"
        if [ -f "$place" ]; then
            have=$(sum_of "$place")
            if [ "$have" = "$wanted" ]; then continue; fi
            if [ "$have" != "$(laid_sum "$base")" ]; then
                say "kept your own change of config/$base"
                continue
            fi
        elif [ -n "$(laid_sum "$base")" ] && [ "$(laid_sum "$base")" = "$wanted" ]; then
            continue # Removed here on purpose.
        fi
        put "$file" "$place"
    done
    if [ -f "$laid" ]; then
        while read -r sum base; do
            case $base in */*) continue ;; esac # The router may write this list.
            place=$directory/config/$base
            if [ ! -f "$here/site/config/$base" ] && [ -f "$place" ] &&
                [ "$(sum_of "$place")" = "$sum" ]; then
                rm -f -- "$place"
                changed=yes
            fi
        done <"$laid"
    fi
    put_text "${list%
}" "$laid"
}
lay_secrets() {
    for file in ca.key ca.crt identity.key; do
        if [ ! -e "$directory/secrets/$file" ]; then
            put "$here/site/secrets/$file" "$directory/secrets/$file"
        fi
    done
    # As what comes out of a backup: launched on two hosts, the first keeps its links and services.
    if [ ! -e "$directory/secrets/@RESTORED@" ]; then
        put_text "$(date +%s)" "$directory/secrets/@RESTORED@"
    fi
    token=secrets/links/@LINK@/token.yaml
    if [ -f "$directory/$token" ] &&
        [ "$(sum_of "$directory/$token")" = "$(sum_of "$here/site/$token")" ]; then
        return
    fi
    rm -rf -- "$directory/secrets/links/@LINK@" # A newer credential of the same gateway.
    put "$here/site/$token" "$directory/$token"
}
# Root's router owns its directory. While files are laid there it is root's, so that nothing that
# the router put there leads root elsewhere.
taken=''
give_back() {
    if [ -n "$taken" ]; then chown -R -h -- "$taken" "$directory"; fi
    taken=''
}
if [ "$uid" = 0 ] && [ -d "$directory" ]; then
    taken=$(stat -c %u:%g -- "$directory")
    trap give_back EXIT
    chown -R -h -- 0:0 "$directory"
fi
for part in "" /config /run /secrets /secrets/links /secrets/links/@LINK@; do
    if [ -L "$directory$part" ]; then
        fail "$directory$part is a symbolic link" "rm $directory$part, then type this again"
    fi
done
for part in "" /config /run /secrets /secrets/links; do
    mkdir -p -- "$directory$part"
    chmod 0700 -- "$directory$part"
done
rm -f -- "$directory"/*.new* "$directory"/.*.new* "$directory"/config/*.new* "$directory"/secrets/*.new*
lay_secrets
lay_config
put_text "$(cat -- "$here/runtime/$type-$scope.yaml")" "$directory/runtime.yaml"
put_text "$(cat -- "$here/site/gateway.yaml")" "$directory/gateway.yaml"

# A type that was launched before and is not wanted any more.
if [ "$type" != podman ]; then
    for file in "$quadlet" "$plain"; do
        if [ "$type" = service ] && [ "$file" = "$plain" ]; then continue; fi
        if [ -e "$file" ]; then
            manage disable --now "$unit.service" >/dev/null 2>&1 || manage stop "$unit.service" || :
            rm -f -- "$file"
            manage daemon-reload || :
        fi
    done
fi
for engine in podman docker; do
    if [ "$type" != "$engine" ] && has $engine && is_ours $engine; then
        $engine rm --force "$unit" >/dev/null
    fi
done

ready() {
    say "gateway $name is ready${changed:+ (changed)}: $directory"
    say "At the site: sitectl link status"
    exit 0
}

if [ "$type" = service ]; then
    give_back
    sitectl --state "${directory%/*}" --site "$name" start >&2
    ready
fi

# From here on a container, by the engine that $type names.
owner=''
if [ "$uid" = 0 ]; then # Root's router does not run as root, but as whom its state belongs to.
    owner=${taken:-0:0}
    case $owner in
    0:*)
        owner=@ROUTER_UID@:@ROUTER_UID@
        if id -u @ACCOUNT@ >/dev/null 2>&1; then owner=$(id -u @ACCOUNT@):$(id -g @ACCOUNT@); fi
        ;;
    esac
    taken=$owner
    give_back
else
    owner=$uid:$(id -g)
fi
if [ "$type" = docker ]; then
    case $(docker info --format '{{.SecurityOptions}}') in
    *rootless*) owner=0:0 ;; # Its root is who runs it.
    esac
fi

image_id() { "$type" image inspect --format '{{.Id}}' "$image" 2>/dev/null || :; }
have_image() {
    if [ -z "$image_digest" ]; then
        if [ -n "$(image_id)" ]; then return; fi
        case $pull in
        never) fail "image $image is not on this host" "$type load -i FILE" ;;
        *) "$type" pull --quiet "$image" >&2 ||
            fail "image $image cannot be pulled" "$type load -i FILE, or a bundle made with --with-image" ;;
        esac
        return
    fi
    loaded=$(image_id)
    if [ "${loaded#sha256:}" = "$image_digest" ]; then return; fi
    "$type" load --input "$here/image.tar" >&2
    loaded=$(image_id)
    [ "${loaded#sha256:}" = "$image_digest" ] ||
        fail "the image in the bundle is ${loaded:-none}, not sha256:$image_digest" "make the bundle again"
    put_text "$image" "$directory/.image"
}
have_image

# filled FILE: a rendered file with what only this host knows.
filled() {
    text=$(cat -- "$1")
    text=$(replaced "$text" '@UID@' "${owner%%:*}")
    text=$(replaced "$text" '@GID@' "${owner##*:}")
    text=$(replaced "$text" '@PODMAN@' "$(command -v "$type")")
    printf '%s' "$(replaced "$text" '/@THE DIRECTORY@' "$directory")" # Last: it may have marks in it.
}
cgroups=legacy
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then cgroups=unified; fi
has_quadlet() {
    version=$(podman --version)
    version=${version##* }
    minor=${version#*.}
    [ "$cgroups" = unified ] && [ "$((${version%%.*} * 100 + ${minor%%.*}))" -ge 404 ] || return 1
    for prefix in /usr/lib /lib /usr/local/lib /etc /run; do
        if [ -x "$prefix/systemd/$scope-generators/podman-$scope-generator" ]; then return 0; fi
    done
    return 1
}

# ready_within SECONDS: whether the router's own health check says so in time.
ready_within() {
    until=$(($(date +%s) + $1))
    while [ "$(date +%s)" -lt "$until" ]; do
        if [ "$type" = podman ]; then
            if podman healthcheck run "$unit" >/dev/null 2>&1; then return 0; fi
        elif [ "$(docker container inspect --format '{{.State.Health.Status}}' "$unit" 2>&1)" = healthy ]; then
            return 0
        fi
        sleep 1
    done
    return 1
}

if [ "$type" = podman ] && has_manager; then
    put_unit=$plain
    other=$quadlet
    text=$(filled "$here/container/unit-$scope-$cgroups.service")
    if has_quadlet; then
        put_unit=$quadlet
        other=$plain
        text=$(filled "$here/container/quadlet-$scope.container")
    fi
    if [ -e "$other" ]; then
        manage disable --now "$unit.service" >/dev/null 2>&1 || :
        rm -f -- "$other"
        manage daemon-reload
    fi
    changed_before=$changed changed=''
    put_text "$text" "$put_unit"
    if [ -n "$changed" ]; then
        manage daemon-reload
        if is_ours podman; then manage stop "$unit.service" || podman rm --force "$unit" >/dev/null; fi
    fi
    changed=$changed$changed_before
    if [ "$put_unit" = "$plain" ]; then manage enable --quiet "$unit.service"; fi
    manage start "$unit.service" ||
        fail "$unit.service did not start" "journalctl ${scope:+--$scope }-u $unit.service"
    if [ "$uid" != 0 ] && [ ! -e "/var/lib/systemd/linger/$user" ]; then
        say "It ends when $user logs out, and a reboot does not start it. Next: loginctl enable-linger $user"
    fi
    ready
fi

# No systemd that could start it: the engine does, and a reboot needs more.
words=$here/container/run-podman-$scope.words
if [ "$type" = docker ]; then words=$here/container/run-docker.words; fi
set --
while IFS= read -r word || [ -n "$word" ]; do
    set -- "$@" "$word"
done <<END
$(filled "$words")
END
digest=$({
    while case $1 in --name=*) false ;; *) true ;; esac; do shift; done # How it is started again.
    printf '%s' "$1"
    shift
    for word; do printf '\0%s' "$word"; done
} | sha256sum | cut -c1-16)
for word; do
    shift
    case $word in --label="$plan_label"=*) word=$(replaced "$word" '@PLAN@' "$digest") ;; esac
    set -- "$@" "$word"
done
if is_ours "$type"; then
    label=$("$type" container inspect --format "{{index .Config.Labels \"$plan_label\"}}" "$unit")
    if [ "$label" != "$digest" ]; then
        "$type" rm --force "$unit" >/dev/null
    elif [ "$("$type" container inspect --format '{{.State.Running}}' "$unit")" != true ]; then
        "$type" start "$unit" >/dev/null
        changed=yes
    fi
fi
if ! is_ours "$type"; then
    changed=yes
    "$type" "$@" >/dev/null
fi
ready_within 60 || fail "the router is not ready after 60 s" "$type logs $unit"
say "A reboot does not start it again without systemd: type this again then."
ready
