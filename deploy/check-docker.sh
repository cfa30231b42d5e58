#!/usr/bin/env bash
# Looks at deploy/docker without building the image, which takes a daemon, a network and long: what must be in the Dockerfile, and
# the file system that collect.sh makes of this machine's programs, tried out as the image's user. LETHE_BUILD_IMAGE=1 builds it.
set -euo pipefail
cd "$(dirname "$0")/docker"
source ../test-tools.sh
wrong() { echo "docker: $*"; exit 1; }

while read -r _ image _; do
    case $image in
    scratch) ;;
    *:latest@* | *:latest) wrong "$image has no version" ;;
    *:*@sha256:*) [[ ${image#*@sha256:} =~ ^[0-9a-f]{64}$ ]] || wrong "$image has no digest" ;;
    *) wrong "$image is not named by version and digest" ;;
    esac
done < <(grep -E '^FROM ' Dockerfile)
last=$(tac Dockerfile | sed '/^FROM /q' | tac)
[[ $last == FROM\ scratch* ]] || wrong "the last stage has more in it than what was put there"
grep -qxE 'USER [1-9][0-9]*:[1-9][0-9]*' <<<"$last" || wrong "the program would run as root, or as a name that a cluster cannot check"
! grep -qE '^RUN ' <<<"$last" || wrong "the last stage has no shell to run anything"
grep -qF 'ENTRYPOINT ["/usr/local/bin/lethe"]' <<<"$last" || wrong "it does not start lethe"
! grep -nE '^ADD |^(ARG|ENV) .*(SECRET|PASSWORD|TOKEN|KEY)' Dockerfile || wrong "something is fetched without a checksum, or a secret stays in the image"
grep -qx '\*' Dockerfile.dockerignore || wrong "what lies around gets into the build"
if command -v hadolint >/dev/null; then
    hadolint Dockerfile
else
    echo "docker: hadolint is not installed: general rules for Dockerfiles were not looked at"
fi

pg_dump=$(find /usr/lib/postgresql -path '*/bin/pg_dump' 2>/dev/null | sort -V | tail -n 1)
lethe=$(find ../../target/release/lethe ../../target/debug/lethe 2>/dev/null | head -n 1 || true)
if [ "$(id -u)" -ne 0 ] || [ -z "$pg_dump" ]; then
    echo "docker: collect.sh was not tried out: that needs root and a pg_dump"
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    programs=("$pg_dump" "$(command -v install)")
    if [ -n "$lethe" ]; then
        mkdir -p "$work/bin"
        cp "$lethe" "$work/bin/lethe"
        programs+=("$work/bin/lethe")
    else
        echo "docker: lethe is not built here: tried out with pg_dump and install alone"
    fi
    ./collect.sh "$work/image" "${programs[@]}"
    inside() { chroot --userspec=65532:65532 "$work/image" "$@"; }
    inside "$pg_dump" --version >/dev/null || wrong "pg_dump does not start in it"
    [ -z "$lethe" ] || inside "$work/bin/lethe" --version >/dev/null || wrong "lethe does not start in it"
    # A key as a cluster mounts it (root's, readable by the group) becomes one that Lethe takes.
    mkdir "$work/image/secrets"
    install -m 0440 -g 65532 /dev/null "$work/image/secrets/key"
    inside "$(command -v install)" --mode=0400 --target-directory=/tmp /secrets/key
    [ "$(stat -c %a:%u "$work/image/tmp/key")" = 400:65532 ] || wrong "install leaves a key that Lethe refuses"
    found=$(find "$work/image" -type f -perm /111 ! -name '*.so*' | sort)
    [ "$found" = "$(printf "$work/image%s\n" "${programs[@]}" | sort)" ] || wrong "there is more to start in it: $found"
    [ -z "$(find "$work/image" -perm /6000)" ] || wrong "something in it changes who runs it"
fi

if [ "${LETHE_BUILD_IMAGE:-}" = 1 ]; then
    docker build -f Dockerfile -t lethe:check ../..
    docker run --rm --read-only --cap-drop ALL lethe:check --version
else
    echo "docker: the image was not built (LETHE_BUILD_IMAGE=1 builds it)"
fi
