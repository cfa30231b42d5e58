#!/usr/bin/env bash
# A Ceph of one monitor, one disk in memory and one gateway, on this machine's loopback, for tests against a real S3 server.
# Usage: ceph.sh start FOLDER   installs Debian's packages if they are missing, starts it, prints shell settings
#        ceph.sh stop FOLDER    ends it and removes the folder
set -euo pipefail
action=${1:?start or stop}; folder=${2:?a folder}
port=${LETHE_CEPH_PORT:-17570}; region=fsn1
access=lethetestaccesskey00; secret=lethetestsecretkey00000000000000000000000
conf=$folder/ceph.conf
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# Only processes that this script has noted are ended.
stop() {
    for name in rgw osd mon; do
        [ -s "$folder/$name.pid" ] || continue
        pid=$(cat "$folder/$name.pid")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null || true
    done
    rm -rf "$folder"
}
wait_for() {
    for _ in $(seq 600); do "${@:2}" >/dev/null 2>&1 && return; sleep 0.1; done
    echo "$1 did not come; see $folder" >&2; exit 1
}
daemon() { setsid "${@:2}" >"$folder/$1.out" 2>&1 </dev/null & echo $! >"$folder/$1.pid"; }
ceph() { command ceph -c "$conf" --connect-timeout 5 "$@"; }
osd_is_up() { ceph osd stat | grep -q '1 up'; }

start() {
    if ! command -v radosgw >/dev/null || ! command -v ceph-osd >/dev/null || ! command -v ceph-mon >/dev/null; then
        as_root apt-get update -qq >&2
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends radosgw ceph-mon ceph-osd ceph-common >&2
    fi
    mkdir -p "$folder"/{run,mon,osd,rgw,crash}
    local fsid uuid; fsid=$(cat /proc/sys/kernel/random/uuid); uuid=$(cat /proc/sys/kernel/random/uuid)
    cat >"$conf" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms bind port min = $((port + 10))
ms bind port max = $((port + 59))
ms mon client mode = crc secure
run dir = $folder/run
admin socket = $folder/run/\$name.asok
log file = $folder/\$name.log
crash dir = $folder/crash
pid file =
debug default = 0
setuser match path =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon cluster log file = $folder/cluster.log
mon data = $folder/mon
mon data avail crit = 1
mon data avail warn = 2
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd max object name len = 2048
rgw data = $folder/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw crypt require ssl = false
CONF
    {
        monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]" "$folder/monmap"
        ceph-mon -c "$conf" --mkfs -i a --monmap "$folder/monmap"
    } >"$folder/setup.log" 2>&1
    daemon mon ceph-mon -c "$conf" -i a -f
    wait_for "the monitor" ceph mon stat
    { ceph osd new "$uuid"; ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid"; } >>"$folder/setup.log" 2>&1
    daemon osd ceph-osd -c "$conf" -i 0 -f
    wait_for "the disk" osd_is_up
    {
        radosgw-admin -c "$conf" user create --uid=test --display-name=test --access-key=$access --secret-key=$secret
        # What GetBucketLocation answers.
        radosgw-admin -c "$conf" zonegroup get --rgw-zonegroup=default 2>/dev/null | sed "s/\"api_name\": \"[^\"]*\"/\"api_name\": \"$region\"/" >"$folder/zonegroup.json"
        radosgw-admin -c "$conf" zonegroup set --rgw-zonegroup=default --infile "$folder/zonegroup.json"
    } >>"$folder/setup.log" 2>&1
    daemon rgw radosgw -c "$conf" -n client.rgw.a -f
    wait_for "the gateway" curl -s -o /dev/null "http://127.0.0.1:$port/"
    echo "export LETHE_TEST_S3_ENDPOINT=http://127.0.0.1:$port LETHE_TEST_S3_REGION=$region"
    echo "export AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret"
}

case $action in
    start) start ;;
    stop) stop ;;
    *) echo "start or stop" >&2; exit 2 ;;
esac
