#!/usr/bin/env bash
# Looks at deploy/helm and deploy/kubernetes. With --write, which needs helm, it makes deploy/kubernetes/lethe.yaml anew.
set -euo pipefail
cd "$(dirname "$0")"
source ./test-tools.sh
python=$(for candidate in python3 /usr/bin/python3; do "$candidate" -c 'import yaml' 2>/dev/null && echo "$candidate" && break; done || true)
if [ -z "$python" ]; then
    echo "kubernetes: Python has no yaml (package python3-yaml), skipped"
    exit 0
fi
values=kubernetes/values.yaml
expanded=()
if command -v helm >/dev/null; then
    helm lint --strict helm/lethe --values "$values" >/dev/null || { helm lint --strict helm/lethe --values "$values"; exit 1; }
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    helm template lethe helm/lethe --values "$values" >"$work/lethe.yaml"
    expanded=("$work/lethe.yaml")
    if [ "${1:-}" = --write ]; then
        { echo "# helm template lethe deploy/helm/lethe --values deploy/kubernetes/values.yaml ($("$python" check-kubernetes.py --fingerprint))"
            sed 's/ *$//' "$work/lethe.yaml"; } >kubernetes/lethe.yaml
    fi
elif [ "${1:-}" = --write ]; then
    echo "kubernetes: helm is not installed"; exit 1
else
    echo "kubernetes: helm is not installed: what the chart gave when it was last changed is looked at"
fi
"$python" check-kubernetes.py "${expanded[@]}"
if command -v kubernetes-validate >/dev/null; then
    kubernetes-validate --quiet --strict -k 1.32 kubernetes/lethe.yaml
else
    echo "kubernetes: kubernetes-validate (of PyPI) is not installed: fields were not held against Kubernetes' own schemas"
fi
