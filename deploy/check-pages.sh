#!/usr/bin/env bash
# The reports' pages, with the tests' facts, in Chromium: axe-core, no overflow, no network. PICTURES=folder keeps what was seen.
set -euo pipefail
cd "$(dirname "$0")/.."

pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
[ -d deploy/pages/node_modules/axe-core ] || npm ci --prefix deploy/pages --silent --no-audit --no-fund
LETHE_TEST_PAGES=$pages cargo nextest run --workspace --locked --status-level fail --final-status-level fail -E 'test(report::tests::every_page)'
node deploy/pages/check.mjs "$pages" ${PICTURES:+"$PICTURES"}
