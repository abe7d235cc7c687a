#!/bin/sh
# Installs sitectl for you alone or, as root, for all users. Run again, it upgrades, or says that there
# is nothing to do. After an interrupted run, the next run cleans up and finishes.
#
#   sh install.sh --from spillway-0.1.0.tar     no network: everything is in the bundle
#   curl -fsS https://HOST/RELEASES/VERSION/install.sh | SPILLWAY_URL=https://HOST/RELEASES sh
#   sh install.sh --uninstall
#
# Every file is checked against a SHA-256 from the release's list before it is used.
set -eu

version=  # Filled in by the release, as are the next lines; empty: the newest.
requirements_sha256=
releases=
pip_wheel=
pip_sha256=

usage() {
  cat <<'TEXT'
usage: install.sh [--from BUNDLE] [--version VERSION] [--python PYTHON] [--prefix DIR]
                  [--bin DIR] [--load-image] [--uninstall] [--force]

  --from BUNDLE   a bundle (make bundle), packed or unpacked; needs no network
                  [default: this script's directory, if it is a bundle]
  --version V     from the network, instead of the newest
  --python P      instead of the Python found (3.11 or newer)
  --prefix DIR    [default: ~/.local/share/spillway-cli; of root /opt/spillway]
  --bin DIR       where the link sitectl is made [~/.local/bin; of root /usr/local/bin];
                  man pages and completions are linked in DIR/../share
  --load-image    with --from: load the router's image into podman or docker, too
  --uninstall     remove what this script made; sites stay where they are
  --force         also when routers still run from it, or another sitectl is in the way

SPILLWAY_URL is where releases are, needed without --from unless the release knows it;
PIP_INDEX_URL another package index. As sh reads this from a pipe: sh -s -- --python P
TEXT
}

fail() {
  printf 'Error: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'Next: %s\n' "$2" >&2
  exit 1
}

say() { printf '%s\n' "$*" >&2; }

main() {
  from='' python='' prefix='' bin='' load='' uninstall='' force=''
  while [ $# -gt 0 ]; do
    case $1 in
    --from | --version | --python | --prefix | --bin)
      [ $# -gt 1 ] || { usage >&2; exit 2; }
      case $1 in
      --from) from=$2 ;;
      --version)
        [ "$version" = "$2" ] || { requirements_sha256='' pip_wheel=''; }
        version=$2
        ;;
      --python) python=$2 ;;
      --prefix) prefix=$2 ;;
      --bin) bin=$2 ;;
      esac
      shift
      ;;
    --load-image) load=yes ;;
    --uninstall) uninstall=yes ;;
    --force) force=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
  done
  if [ "$(id -u)" = 0 ]; then
    : "${prefix:=/opt/spillway}" "${bin:=/usr/local/bin}"
  else
    : "${prefix:=${XDG_DATA_HOME:-$HOME/.local/share}/spillway-cli}" "${bin:=$HOME/.local/bin}"
  fi
  case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
  case $bin in /*) ;; *) bin=$PWD/$bin ;; esac
  link=$bin/sitectl
  shared=$(dirname "$bin")/share
  if [ -n "$uninstall" ]; then
    remove
    return
  fi
  here=$(dirname "$0")
  case $0 in
  *install.sh)
    if [ -z "$from" ] && [ -f "$here/SHA256SUMS" ] && [ -d "$here/wheels" ]; then from=$here; fi ;;
  esac
  [ -z "$load" ] || [ -n "$from" ] || fail '--load-image needs a bundle' 'install.sh --from BUNDLE'
  [ ! -e "$link" ] && [ ! -L "$link" ] || is_ours || [ -n "$force" ] ||
    fail "$link already exists and is not part of this installation" "Remove it, or --bin DIR, or --force"
  find_python
  install
}

is_ours() { [ "$(readlink "$link" 2>/dev/null)" = "$prefix/current/bin/sitectl" ]; }

# --- Python -----------------------------------------------------------------------------------

# -I everywhere: Python imports nothing from the current directory or from PYTHONPATH.
is_new_enough() {
  "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  if [ -n "$python" ]; then
    is_new_enough "$python" || too_old "$python is $(told_version "$python")"
    return
  fi
  for python in python3.13 python3.12 python3.11 python3.14 python3; do
    if command -v "$python" >/dev/null 2>&1 && is_new_enough "$python"; then
      python=$(command -v "$python")
      return
    fi
  done
  if command -v python3 >/dev/null 2>&1; then
    too_old "python3 is $(told_version python3)"
  fi
  too_old 'there is no python3'
}

told_version() { "$1" --version 2>&1 | head -n 1; }

too_old() { fail "sitectl needs Python 3.11 or newer; $1" "$(python_advice)"; }

# The command that installs a newer Python beside the system's own, by distribution.
python_advice() {
  os_release
  case " $ID $ID_LIKE " in
  *' fedora '* | *' rhel '* | *' centos '*)
    echo "${sudo}dnf install python3.12   (beside the system's own, which stays as it is)" ;;
  *' ubuntu '*)
    case $VERSION_ID in
    2[01].*) echo 'this Ubuntu has no newer one: use 22.04 or later, or the container image' ;;
    22.*) echo "${sudo}apt install python3.11 python3.11-venv" ;;
    *) echo "${sudo}apt install python3 python3-venv" ;;
    esac ;;
  *' debian '*)
    case $VERSION_ID in
    [89] | 10 | 11) echo 'this Debian has no newer one: use 12 or later, or the container image' ;;
    *) echo "${sudo}apt install python3 python3-venv" ;;
    esac ;;
  *' suse '* | *' opensuse '*) echo "${sudo}zypper install python312" ;;
  *) echo 'Install one, and name it with --python PATH' ;;
  esac
}

os_release() {
  sudo='sudo '
  [ "$(id -u)" != 0 ] || sudo=''
  file=${SPILLWAY_OS_RELEASE:-/etc/os-release}
  # Read, not sourced: the file is data.
  ID=$(os_value ID) ID_LIKE=$(os_value ID_LIKE) VERSION_ID=$(os_value VERSION_ID)
}

os_value() { sed -n "s/^$1=//p" "$file" 2>/dev/null | head -n 1 | tr -d "\"'"; }

venv_advice() {
  os_release
  case " $ID $ID_LIKE " in
  *' debian '* | *' ubuntu '*)
    echo "${sudo}apt install python$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv" ;;
  *' fedora '* | *' rhel '* | *' centos '*)
    echo "${sudo}dnf install $(basename "$python" | sed 's/^python3$/python3.12/')-pip" ;;
  *) echo "Install the modules venv and ensurepip of $python" ;;
  esac
}

# --- Install ----------------------------------------------------------------------------------

install() {
  work='' target=''
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  umask 022
  mkdir -p "$prefix/versions" "$bin"
  if command -v flock >/dev/null 2>&1; then
    exec 9>"$prefix/.lock"
    flock -n 9 || fail "another install.sh works in $prefix" 'Wait for it'
  fi
  rm -rf "$prefix"/.work.*  # Left by a killed run.
  work=$(mktemp -d "$prefix/.work.XXXXXX")
  if [ -n "$from" ]; then from_bundle; else from_network; fi
  list=$work/requirements.txt
  version=$(sed -n 's/^spillway-router==\([^ ;]*\).*/\1/p' "$list")
  [ -n "$version" ] || fail "the list of $source names no spillway-router" 'Fetch it again'
  # Each list and each Python gets a separate directory, so that no running program's files change.
  name=$version-$( { cat "$list"; "$python" -VV; echo "$python"; } | sha256sum | cut -c 1-12)
  target=$prefix/versions/$name
  if [ -e "$target/.complete" ] && "$target/bin/sitectl" version >/dev/null 2>&1; then
    is_current=''
    [ "$(readlink "$prefix/current" 2>/dev/null)" != "versions/$name" ] || is_current=yes
    if [ -n "$is_current" ] && is_ours; then
      target=''
      load_image
      say "sitectl $version is installed already, unchanged: $link"
      return
    fi
  else
    build
  fi
  take_up
  load_image
  say "sitectl $version installed: $link"
  case :$PATH: in
  *:"$bin":*) ;;
  *) say "Next: export PATH=$bin:\$PATH   (in your shell's profile)" ;;
  esac
}

clean_up() {
  code=$?
  [ -z "$work" ] || rm -rf "$work"
  if [ -n "$target" ] && [ ! -e "$target/.complete" ]; then rm -rf "$target"; fi
  if [ $code -ne 0 ] && [ ! -e "$prefix/current" ]; then
    rm -f "$prefix/.lock"
    rmdir "$prefix/versions" "$prefix" 2>/dev/null || true
  fi
  exit $code
}

from_bundle() {
  source=$from
  if [ -f "$from" ]; then
    set -- --exclude='*/images/*.tar'
    [ -z "$load" ] || set --
    tar -xf "$from" -C "$work" "$@" || fail "$from is not a bundle, or is damaged" 'Copy it again'
    for from in "$work"/*/; do break; done
  elif [ -d "$from" ]; then  # A copy, so that the files checked are the files installed.
    mkdir "$work/bundle"
    for part in "$from"/*; do
      if [ "${part##*/}" != images ] || [ -n "$load" ]; then cp -RL -- "$part" "$work/bundle/"; fi
    done
    from=$work/bundle
  fi
  from=$(cd "$from" && pwd) || fail "there is no $source"
  [ -f "$from/SHA256SUMS" ] && [ -f "$from/requirements.txt" ] ||
    fail "$source is not a bundle: it lacks SHA256SUMS or requirements.txt" 'make bundle makes one'
  # Images are checked when they are loaded; they are as large as everything else.
  (cd "$from" && grep -v '  images/' SHA256SUMS | sha256sum --check --quiet --strict -) >&2 ||
    fail "$source is damaged: the files above do not match SHA256SUMS" 'Copy it again'
  pythons=$(cat "$from/PYTHONS")
  mine=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  case " $pythons " in
  *" $mine "*) ;;
  *) fail "$source has wheels for Python $pythons; $python is $mine" \
    'Name another with --python, or make the bundle with --pythons' ;;
  esac
  cat "$from/requirements.txt" >"$work/requirements.txt"
}

from_network() {
  url=${SPILLWAY_URL:-$releases}
  [ -n "$url" ] || fail 'no release address is configured' \
    'SPILLWAY_URL=https://HOST/PATH sh install.sh. Without a network: --from BUNDLE'
  source=$url
  if [ -z "$version" ]; then
    fetch "$url/latest" "$work/latest"
    version=$(head -c 64 "$work/latest" | tr -d ' \n')
  fi
  fetch "$url/$version/requirements.txt" "$work/requirements.txt"
  if [ -n "$requirements_sha256" ]; then
    echo "$requirements_sha256  $work/requirements.txt" | sha256sum --check --quiet --strict - >&2 ||
      fail "$url/$version/requirements.txt does not belong to this release" 'Fetch install.sh again'
  fi
  # Our own wheel is part of the release; all others come from the package index.
  wheel=spillway_router-$version-py3-none-any.whl
  mkdir "$work/wheels"
  fetch "$url/$version/wheels/$wheel" "$work/wheels/$wheel"
}

fetch() {
  "$python" -I - "$1" "$2" <<'CODE' >&2 || fail "cannot fetch $1" 'Is there a network? Without one: --from BUNDLE'
import sys, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=60) as answer, open(sys.argv[2], "wb") as file:
        file.write(answer.read(16 << 20))
except OSError as error:
    sys.exit(str(error))
CODE
}

build() {
  rm -rf "$target"
  "$python" -I -m venv --without-pip "$target" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "$python cannot make virtual environments" "$(venv_advice)"
  }
  find_pip
  set -- --python "$target/bin/python" install --quiet --disable-pip-version-check --no-input \
    --no-cache-dir --require-hashes --only-binary :all: -r "$list"
  if [ -n "$from" ]; then
    set -- "$@" --no-index --find-links "$from/wheels"
    # Do not request packages from, or wait for, indexes that the user's configuration adds.
    PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS='' PIP_EXTRA_INDEX_URL='' run_pip "$@"
  else
    run_pip "$@" --find-links "$work/wheels"
  fi
  "$target/bin/sitectl" version >/dev/null ||
    fail "sitectl does not start with $python" 'Name another with --python PATH'
  : >"$target/.complete"
}

run_pip() {
  if [ -n "$pip_file" ]; then set -- -I "$pip_file" "$@"; else set -- -I -m pip "$@"; fi
  "$pip_python" "$@" >"$work/log" 2>&1 || {
    tail -n 15 "$work/log" >&2
    fail "the packages of $source cannot be installed" 'The lines above say why'
  }
}

find_pip() {
  pip_python=$python pip_file=''
  for wheel in "${from:-/nowhere}"/wheels/pip-*-py3-none-any.whl; do
    if [ -e "$wheel" ]; then
      pip_file=$wheel/pip  # Python can run programs in archives.
      return
    fi
  done
  if "$python" -I -m venv "$work/pip" >/dev/null 2>&1; then
    pip_python=$work/pip/bin/python
  elif "$python" -I -m pip --version >/dev/null 2>&1; then
    return
  elif [ -n "$pip_wheel" ]; then  # Debian's Python has no pip; the release has one.
    pip_file=$work/wheels/$pip_wheel
    fetch "$url/$version/wheels/$pip_wheel" "$pip_file"
    echo "$pip_sha256  $pip_file" | sha256sum --check --quiet --strict - >&2 ||
      fail "$url/$version/wheels/$pip_wheel does not belong to this release" 'Fetch install.sh again'
    pip_file=$pip_file/pip
  else
    fail "$python has no pip and no way to get it" "$(venv_advice)"
  fi
}

# One rename makes the version current. The previous version stays until the next installation: routers
# that were started from it still load parts of it.
take_up() {
  before=$(readlink "$prefix/current" 2>/dev/null || true)
  replace_link "versions/$name" "$prefix/current"
  replace_link "$prefix/current/bin/sitectl" "$link"
  unlink_shared
  link_shared
  target=''
  for old in "$prefix"/versions/*; do
    case $old in
    "$prefix/versions/$name" | "$prefix/$before") ;;
    *) rm -rf "$old" ;;
    esac
  done
  if [ "$(id -u)" = 0 ] && command -v restorecon >/dev/null 2>&1; then
    restorecon -R "$prefix" "$link" >/dev/null 2>&1 || true  # Nothing to restore without SELinux.
  fi
}

# Links man pages and completions to where `man` and shells search for those of programs in the link's
# directory. Other files of the same names stay.
link_shared() {
  for page in $(shared_files "$prefix/current/share"); do
    place=$shared/${page%/*}
    mkdir -p "$place"
    [ -e "$shared/$page" ] || ln -s "$prefix/current/share/$page" "$place/"
  done
}

unlink_shared() {
  for page in $(shared_files "$shared"); do
    case $(readlink "$shared/$page" 2>/dev/null) in
    "$prefix/current/"*) rm -f "$shared/$page" ;;
    esac
  done
  for place in man/man1 man/man8 man bash-completion/completions bash-completion \
    fish/vendor_completions.d fish zsh/site-functions zsh; do
    rmdir "$shared/$place" 2>/dev/null || true  # Only if it is empty.
  done
}

# Our files below $1, by name; the names have no spaces.
shared_files() {
  (cd "$1" 2>/dev/null || exit 0
  for page in man/man1/sitectl*.1 man/man8/spillway-router.8 bash-completion/completions/sitectl \
    fish/vendor_completions.d/sitectl.fish zsh/site-functions/_sitectl; do
    if [ -e "$page" ] || [ -L "$page" ]; then echo "$page"; fi
  done)
}

replace_link() {
  rm -f "$2.new"
  ln -s "$1" "$2.new"
  "$python" -I -c 'import os, sys; os.replace(sys.argv[1], sys.argv[2])' "$2.new" "$2"
}

load_image() {
  [ -n "$load" ] || return 0
  engine=$(command -v podman || command -v docker) ||
    fail '--load-image needs podman or docker' 'Install one, or leave --load-image out'
  found=''
  for image in "$from"/images/*.tar; do
    [ -e "$image" ] || break
    (cd "$from" && grep "  images/${image##*/}\$" SHA256SUMS | sha256sum --check --quiet --strict -) ||
      fail "$image is damaged" 'Copy the bundle again'
    "$engine" load --quiet --input "$image" >&2 || fail "$engine cannot load $image"
    found=yes
  done
  [ -n "$found" ] || fail "$source has no image: $(cat "$from/images/NONE" 2>/dev/null)" \
    'Make it where an image can be built, or leave --load-image out'
}

remove() {
  if [ ! -e "$prefix/versions" ] && ! is_ours; then
    say "sitectl is not installed in $prefix, unchanged"
    return
  fi
  if [ -z "$force" ] && running=$(routers) && [ -n "$running" ]; then
    fail "routers still run from $prefix (process $running)" 'sitectl stop, or --force'
  fi
  if is_ours; then rm -f "$link"; fi
  unlink_shared
  rm -rf "$prefix/versions" "$prefix/current" "$prefix"/.work.* "$prefix/.lock"
  rmdir "$prefix" 2>/dev/null || true
  say "sitectl removed; your sites are unchanged (in sitectl --state, or its default)"
}

# Processes whose program is below the prefix.
routers() {
  for line in /proc/[0-9]*/cmdline; do
    first=$({ tr '\0' '\n' <"$line" | head -n 1; } 2>/dev/null) || continue  # It may have ended.
    case $first in
    "$prefix/versions/"*) line=${line#/proc/}; printf '%s ' "${line%/cmdline}" ;;
    esac
  done
}

main "$@"  # The last line, so that a script cut off in transit runs nothing.
