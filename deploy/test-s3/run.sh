#!/usr/bin/env bash
# The tests that need a real S3 server. By default a Ceph is started for them, which is what Hetzner runs; or they use the
# endpoint of LETHE_TEST_S3_ENDPOINT and LETHE_TEST_S3_REGION, with the credentials of AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY. They make buckets called lethe-test-…, and remove what they wrote, but not the
# buckets, nor the ledger that a policy guards.
set -euo pipefail
cd "$(dirname "$0")/../.."
source deploy/test-servers.sh
if [ -z "${LETHE_TEST_S3_ENDPOINT:-}" ]; then
    folder=$(mktemp -d /tmp/lethe-ceph.XXXXXX)
    trap 'deploy/test-s3/ceph.sh stop "$folder"' EXIT
    deploy/test-s3/ceph.sh start "$folder" >"$folder.env"
    # shellcheck disable=SC1090
    source "$folder.env"; rm "$folder.env"
fi
: "${AWS_ACCESS_KEY_ID:?}" "${AWS_SECRET_ACCESS_KEY:?}"

id=$(date +%s)
export LETHE_TEST_S3_BUCKET=lethe-test-$id LETHE_TEST_S3_VERSIONED_BUCKET=lethe-test-$id-versioned LETHE_TEST_S3_GUARDED_BUCKET=lethe-test-$id-guarded
# All of the workspace, since a part of it would be built with other features, and so once more.
cargo build --quiet --workspace --locked --example create_bucket --example begin_upload
examples=${CARGO_TARGET_DIR:-target}/debug/examples
"$examples/create_bucket" "$LETHE_TEST_S3_BUCKET"
"$examples/create_bucket" "$LETHE_TEST_S3_VERSIONED_BUCKET" versioned
"$examples/begin_upload" "$LETHE_TEST_S3_VERSIONED_BUCKET" month/data/chunks/unfinished
deploy/iam/fill.sh bucket-policy-ceph "bucket=$LETHE_TEST_S3_GUARDED_BUCKET" prefix=guarded |
    "$examples/create_bucket" "$LETHE_TEST_S3_GUARDED_BUCKET" policy
cargo nextest run --workspace --locked --run-ignored only real_s3 "$@"
