#!/usr/bin/env bash
# Looks at deploy/terraform: layout, syntax, that its policies are those of deploy/iam, and, where Terraform can get its
# providers, all that `terraform validate` knows. Nothing is sent to a store.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v terraform >/dev/null; then
    echo "terraform: not installed, skipped"
    exit 0
fi
export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1
# A file that it names and that is not there would be a warning each time.
[ -e "${TF_CLI_CONFIG_FILE:-}" ] || unset TF_CLI_CONFIG_FILE
terraform fmt -check -diff -recursive terraform

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r iam terraform "$work"

# The policies need no provider: what comes out must be what fill.sh prints.
values=(bucket=a-bucket prefix=production ledger_bucket=b-bucket ledger_prefix=led/ger/ partition=aws-eusc account=111122223333
    region=eu-central-1 prune_role=pruner keys_role=keeper break_glass=glass kms_key=arn:aws:kms:eu-central-1:111122223333:key/1
    repository=0123)
templates=(iam/*.json)
templates=("${templates[@]##*/}")
templates=("${templates[@]%.json}")
{
    printf 'templates = ['; printf '"%s", ' "${templates[@]}"; printf ']\nvalues = {\n'
    for pair in "${values[@]}"; do printf '  %s = "%s"\n' "${pair%%=*}" "${pair#*=}"; done
    printf '}\n'
} >"$work/terraform/policies/terraform.tfvars"
(
    cd "$work/terraform/policies"
    terraform init -no-color >/dev/null
    terraform validate -no-color >/dev/null
    terraform apply -no-color -auto-approve >/dev/null
    terraform output -json filled >"$work/filled.json"
)
for template in "${templates[@]}"; do
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]], end="")' "$work/filled.json" "$template" |
        diff - <(iam/fill.sh "$template" "${values[@]}") || { echo "terraform: $template is filled in differently"; exit 1; }
done

if grep -rnE 'versioning"|object_locking *= *true' terraform/hetzner; then
    echo "terraform: a bucket at Hetzner must never be versioned"; exit 1
fi
python3 check-terraform-references.py terraform/aws terraform/hetzner

# Providers are fetched once for this machine.
export TF_PLUGIN_CACHE_DIR=${TF_PLUGIN_CACHE_DIR:-/var/tmp/lethe-terraform}
mkdir -p "$TF_PLUGIN_CACHE_DIR"
for module in aws hetzner; do
    cd "$work/terraform/$module"
    terraform get -no-color >/dev/null
    if said=$(terraform init -no-color -backend=false 2>&1); then
        terraform validate -no-color >/dev/null
        echo "terraform: $module is valid"
    elif grep -qE 'could not connect to|Failed to (query|install) ' <<<"$said"; then
        echo "terraform: the provider of $module cannot be had here: its syntax and references were looked at, its arguments were not"
    else
        echo "$said"; exit 1
    fi
done
