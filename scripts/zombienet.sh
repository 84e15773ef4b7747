#!/usr/bin/env bash
# Runs the network definitions of zombienet/ with the stock zombienet (native provider), or those that are named.
# HEADWAY_BIN names the program; without it, the one that `make build` leaves is taken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${HEADWAY_BIN:-${CARGO_TARGET_DIR:-target}/debug/headway}
[ -x "$program" ] || {
    echo "zombienet.sh: there is no $program; run \`make build\` first, or set HEADWAY_BIN" >&2
    exit 1
}
program=$(realpath "$program")
# zombienet calls nodes by name.
[ "$(basename "$program")" = headway ] || {
    echo "zombienet.sh: $program is not called headway" >&2
    exit 1
}
PATH=$(dirname "$program"):$PATH
export PATH

scripts/polkadot-js.sh

[ $# -gt 0 ] || set -- zombienet/*.zndsl
for test in "$@"; do
    directory=$(mktemp -d "${TMPDIR:-/tmp}/headway-zombienet-XXXXXX")
    echo "zombienet: $test, logs in $directory"
    zombienet/node_modules/.bin/zombienet -p native -d "$directory/network" test "$test"
    # Only a failure leaves its directory behind.
    rm -rf "$directory"
done
