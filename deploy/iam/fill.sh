#!/usr/bin/env bash
# Fills in a policy, and prints it:
#   fill.sh snapshot bucket=my-backups prefix=production account=111122223333 region=eu-central-1
# What is not given: prefix (none), ledger_bucket and ledger_prefix (those of the data), partition (aws), prune_role
# (lethe-prune), keys_role (lethe-keys), break_glass (lethe-break-glass). Some templates also want kms_key (an ARN) or repository (an id).
set -euo pipefail
template="$(dirname "$0")/${1:?which policy}.json"; shift
declare -A value=([partition]=aws [prefix]="" [prune_role]=lethe-prune [keys_role]=lethe-keys [break_glass]=lethe-break-glass)
for pair in "$@"; do value[${pair%%=*}]=${pair#*=}; done
value[ledger_bucket]=${value[ledger_bucket]:-${value[bucket]:-}}
value[ledger_prefix]=${value[ledger_prefix]-${value[prefix]}}
for name in prefix ledger_prefix; do value[$name]=${value[$name]:+${value[$name]%/}/}; done
text=$(cat "$template")
for name in "${!value[@]}"; do
    [[ ${value[$name]} =~ ^[A-Za-z0-9/_.:-]*$ ]] || { echo "$name cannot be ${value[$name]}" >&2; exit 2; }
    [ -z "${value[$name]}" ] && [[ $name != *prefix ]] && continue
    text=${text//@$name@/${value[$name]}}
done
if [[ $text =~ @([a-z_]+)@ ]]; then echo "give ${BASH_REMATCH[1]}=…" >&2; exit 2; fi
printf '%s\n' "$text"
