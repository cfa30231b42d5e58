#!/usr/bin/env bash
# The main job of Lethe, on this machine and on made-up data: snapshot, erasures, loss of the database, restore, proof.
# Everything happens in a temporary folder that is removed at the end. Usage: run.sh [file|s3]
set -euo pipefail
cd "$(dirname "$0")/../.."
demo=$PWD/deploy/demo
deploy/setup.sh --demo
store=${1:-file}

echo "== building lethe (the first time takes a few minutes)"
cargo build --quiet --locked -p lethe-cli
[ "$store" != s3 ] || cargo build --quiet --locked -p lethe-testkit --example s3_server
target=${CARGO_TARGET_DIR:-target}
target_abs=$(realpath "$target")
lethe=$target_abs/debug/lethe
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

work=$(mktemp -d /tmp/lethe-demo.XXXXXX)
chmod 755 "$work"
user=$(id -un); [ "$(id -u)" -ne 0 ] || user=postgres
# PostgreSQL refuses to run as root.
as_server() { if [ "$(id -u)" -eq 0 ]; then setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"; else "$@"; fi; }
start_server() {
    mkdir "$work/$1"; [ "$(id -u)" -ne 0 ] || chown "$user:" "$work/$1"
    as_server "$bin/initdb" -D "$work/$1/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
    as_server "$bin/pg_ctl" -s -w -D "$work/$1/data" -l "$work/$1/log" -o "-k $work/$1 -c listen_addresses=" start
}
stop_server() { as_server "$bin/pg_ctl" -s -D "$work/$1/data" -m fast stop; }
sql() { "$bin/psql" -XqAt -v ON_ERROR_STOP=1 -h "$work/$1" -U postgres -d "$2" "${@:3}"; }
finish() {
    status=$?
    for server in production replacement forum forum_replacement; do stop_server "$server" 2>/dev/null || true; done
    [ -z "${s3_pid:-}" ] || kill "$s3_pid" 2>/dev/null || true
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
failed=0
# Whether tables are the same in two databases: server, database, server, database, tables …
compare() {
    for table in "${@:5}"; do
        sum="SELECT count(*) || ' rows ' || md5(coalesce(string_agg(t::text, E'\n' ORDER BY t::text COLLATE \"C\"), '')) FROM $table t"
        expected=$(sql "$1" "$2" -c "$sum"); restored=$(sql "$3" "$4" -c "$sum")
        if [ "$expected" = "$restored" ]; then printf '   equal      %-12s %s\n' "$table" "$restored"
        else printf '   DIFFERENT  %-12s %s, expected %s\n' "$table" "$restored" "$expected"; failed=1; fi
    done
}
hits() { { LC_ALL=C grep -rhaoFf tokens.txt "$work/$1" || true; } | sort -u | wc -l; }
# Whether the files of the new server are free of the erased users' tokens: their number, the old server, the new one. Both
# stand still. A token that happens to lie across two pages is cut in two, and the old server may have reused the space
# of a deleted row: so it need not show every one of them. In the new one there must be none.
search() {
    control=$(hits "$2"); leaked=$(hits "$3")
    echo "   tokens of the $1 erased users found in the files of the old server: $control (the search works)"
    echo "   tokens of the $1 erased users found in the files of the new server: $leaked (tables, indexes, WAL, log)"
    [ "$control" -ge $(($1 * 95 / 100)) ] && [ "$leaked" -eq 0 ] || failed=1
}

cd "$work"
mkdir -p home; export LETHE_STATE_DIR=$work/home/state
if [ "$store" = s3 ]; then
    echo "== starting a private S3 server"
    "$target_abs/debug/examples/s3_server" lethe-demo >s3.env &
    s3_pid=$!
    until grep -q READY s3.env; do sleep 0.1; done
    # shellcheck disable=SC1091
    source s3.env
    url=s3://lethe-demo/backups
else
    url=file://$work/store
fi

echo "== a company's production server, with some 200,000 rows about 5,000 users"
start_server production
sql production postgres -c 'CREATE DATABASE shop'
sql production shop -f "$demo/company.sql" >/dev/null
printf '   %s rows in %s tables\n' "$(sql production shop -c "SELECT sum(n_live_tup) FROM pg_stat_user_tables" )" "$(sql production shop -c "SELECT count(*) FROM pg_stat_user_tables")"

echo; echo "== lethe init: a repository, its keys, its ledger"
"$lethe" init --store "$url"

echo; echo "== lethe snapshot"
"$lethe" snapshot --from "postgres://postgres@/shop?host=$work/production"

echo; echo "== 300 users ask to be deleted: first the ledger, then the production database"
sql production shop -c "SELECT id FROM users WHERE id % 16 = 3 ORDER BY id LIMIT 300" >erased.txt
sql production shop -c "SELECT profile FROM users WHERE id % 16 = 3 ORDER BY id LIMIT 300" >tokens.txt
"$lethe" tombstone add --subject public.users --ids-file erased.txt --request "demo-1"
# The same deletion by the server itself, in a copy of the database as it was at the snapshot: what must come out.
sql production postgres -c 'CREATE DATABASE expected TEMPLATE shop'
sql production expected -c "DELETE FROM users WHERE id = ANY (string_to_array(rtrim('$(tr '\n' ',' <erased.txt)', ','), ',')::bigint[])"

echo; echo "== disaster: the production database is gone"
sql production postgres -c 'DROP DATABASE shop'
start_server replacement
sql replacement postgres -c 'CREATE DATABASE shop TEMPLATE template0'

echo; echo "== lethe restore: the snapshot is older than the deletions, and yet"
"$lethe" restore --label production --into "postgres://postgres@/shop?host=$work/replacement"

echo; echo "== the proof"
compare production expected replacement shop tenants users orders order_items comments events
stop_server replacement; stop_server production
search 300 production replacement

# shellcheck source=deploy/demo/run_forum.sh
source "$demo/run_forum.sh"

if [ "$failed" -ne 0 ]; then echo "the demo FAILED"; exit 1; fi
echo; echo "The erased users never touched the new servers."
