#!/usr/bin/env bash
# cargo-deny where it is installed (`cargo install --locked cargo-deny`); building it takes longer than all tests.
set -euo pipefail
if cargo deny --version >/dev/null 2>&1; then
    cargo deny --log-level error check bans licenses sources
else
    echo "licences: cargo-deny is not installed, skipped"
fi
