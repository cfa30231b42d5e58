#!/usr/bin/env bash
# Lets systemd itself read the units, with a program in the place of one that need not be installed here.
set -euo pipefail
cd "$(dirname "$0")/systemd"
units=$(mktemp -d)
trap 'rm -rf "$units"' EXIT
for unit in *.service *.timer; do
    sed 's#/usr/bin/lethe\b#/bin/true#g' "$unit" >"$units/$unit"
done
said=$(systemd-analyze verify "$units"/* 2>&1) || { echo "$said"; exit 1; }
[ -z "$said" ] || { echo "$said"; exit 1; }
# Each timer has its service.
for timer in *.timer; do
    [ -e "${timer%.timer}.service" ] || { echo "$timer has no service"; exit 1; }
done
