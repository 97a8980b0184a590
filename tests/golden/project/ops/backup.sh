#!/usr/bin/env bash
set -euo pipefail

# Dumps the database, compressed and dated, into a folder.
dump_database() {
    local name=$1 folder=$2
    pg_dump --format=custom "$name" | zstd -q >"$folder/$name-$(date +%Y%m%dT%H%M%S).dump.zst"
}

# Keeps the newest files of a folder and deletes the others.
prune_old() {
    local folder=$1 keep=$2
    ls -1t "$folder"/*.dump.zst | tail -n +"$((keep + 1))" | xargs -r rm --
}

wait_for_port() {
    local host=$1 port=$2 tries=${3:-30}
    until (echo >"/dev/tcp/$host/$port") 2>/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 1
    done
}

dump_database "${DATABASE:-shop}" "${BACKUPS:-/var/backups}"
prune_old "${BACKUPS:-/var/backups}" 14
