#!/bin/sh
# collect.sh FOLDER PROGRAM…: a file system with these programs, the libraries that they need, certificates, and a user.
set -eu
folder=$1; shift
mkdir -p "$folder/etc/lethe" "$folder/etc/ssl/certs" "$folder/var/lib/lethe"
for program in "$@"; do
    mkdir -p "$folder$(dirname "$program")"
    cp -L "$program" "$folder$program"
    needed=$(ldd "$program")
    case $needed in *"not found"*) echo "$program lacks a library: $needed" >&2; exit 1 ;; esac
    for library in $(echo "$needed" | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
        mkdir -p "$folder$(dirname "$library")"
        cp -L "$library" "$folder$library"
    done
done
cp -L /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
# Where OpenSSL, and so pg_dump, looks for them.
mkdir -p "$folder/usr/lib/ssl"
ln -s /etc/ssl/certs/ca-certificates.crt "$folder/usr/lib/ssl/cert.pem"
echo 'hosts: files dns' >"$folder/etc/nsswitch.conf"
echo 'lethe:x:65532:65532::/tmp:/nowhere' >"$folder/etc/passwd"
echo 'lethe:x:65532:' >"$folder/etc/group"
mkdir -p "$folder/tmp"
chmod 1777 "$folder/tmp"
chown 65532:65532 "$folder/var/lib/lethe"
