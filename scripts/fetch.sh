#!/usr/bin/env bash
# Downloads all that building needs; afterwards `CARGO_NET_OFFLINE=true make build` works without a network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo fetch --locked
cargo fetch --locked --manifest-path tests/subxt/Cargo.toml
# Where core and alloc are built from the distribution's sources, cargo resolves the whole standard
# library, and asks for the crates that its lock file names. See build/wasm/src/toolchain.rs.
sources=/usr/lib/rustlib/src/rust/library/sysroot/Cargo.toml
if ! compgen -G "$(rustc --print sysroot)/lib/rustlib/wasm32v1-none/lib/*" >/dev/null && [ -f "$sources" ]; then
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc /usr/bin/cargo fetch --locked --manifest-path "$sources"
fi
