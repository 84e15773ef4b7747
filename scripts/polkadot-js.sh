#!/usr/bin/env bash
# Installs the stock zombienet and polkadot.js into zombienet/node_modules. Does nothing, quickly, when they are there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Packages as the lock file has them. Scripts of packages are not needed.
if ! cmp -s zombienet/package-lock.json zombienet/node_modules/.headway-lock; then
    npm ci --prefix zombienet --ignore-scripts --no-audit --no-fund --loglevel=error
    cp zombienet/package-lock.json zombienet/node_modules/.headway-lock
fi
