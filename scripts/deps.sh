#!/usr/bin/env bash
# Checks for what building, running and testing Headway needs, and installs what is missing.
# Does nothing, quickly, when all is there. Called by `make deps`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly TARGET=wasm32v1-none
# A minimal PATH (cron, CI) often lacks rustup's folder, and the distribution's cargo is not meant instead.
command -v rustup >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

fail() {
    printf 'make deps: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs apt-get as root or through sudo; otherwise says what to run, and stops.
install() {
    local packages="$*" sudo=() options="install -y --no-install-recommends"
    have apt-get || fail "please install (Debian's names): $packages"
    if [ "$(id -u)" -ne 0 ]; then
        if have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
            sudo=(sudo)
        else
            fail "packages are missing; run as root: apt-get update && apt-get $options $packages"
        fi
    fi
    echo "make deps: installing $packages"
    # Package lists may be absent (a container), or a source out of reach: what counts is the installation.
    "${sudo[@]}" apt-get update -qq || true
    # shellcheck disable=SC2086  # lists of words
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get $options -qq $packages >/dev/null </dev/null ||
        fail "apt-get could not install: $packages"
}

# ---- System packages

have_libclang() {
    local file
    # Not libclang-cpp, which is another library. Where bindgen looks, roughly.
    for file in "${LIBCLANG_PATH:-/nonexistent}"/libclang{,-[0-9]*}.so* \
        {/usr/lib,/usr/lib64,/usr/local/lib}/{,llvm-*/lib/,*-linux-gnu/}libclang{,-[0-9]*}.so*; do
        [ -e "$file" ] && return 0
    done
    return 1
}

missing=()
have clang || missing+=(clang)
have_libclang || missing+=(libclang-dev)
have protoc || missing+=(protobuf-compiler)
have pkg-config || missing+=(pkg-config)
# .cargo/config.toml: the system's OpenSSL instead of one built from source.
pkg-config --exists openssl 2>/dev/null || missing+=(libssl-dev)
have c++ || missing+=(g++)
have make || missing+=(make)
have git || missing+=(git)
# zombienet is a program of npm.
have node || missing+=(nodejs)
have npm || missing+=(npm)
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"

# ---- Rust

have cargo && have rustc || fail "Rust is missing: install rustup from https://rustup.rs, then run this again"
version_min=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
version=$(rustc -vV) || fail "rustc does not run; try: rustup default stable"
minor=$(sed -n 's/^release: 1\.\([0-9]*\).*/\1/p' <<<"$version")
host=$(sed -n 's/^host: //p' <<<"$version")
[ "$minor" -ge "$version_min" ] ||
    fail "Rust 1.$version_min or newer is needed, this is 1.$minor; try: rustup update"
sysroot=$(rustc --print sysroot)
if [ ! -x "$sysroot/bin/cargo-fmt" ] && ! have cargo-fmt; then
    { have rustup && rustup component add rustfmt </dev/null; } ||
        fail "rustfmt is missing: install the component rustfmt of your Rust toolchain"
fi

# ---- The Wasm target; build/wasm/src/toolchain.rs makes the same choice when it builds

# When rustup has to undo an installation, it leaves the empty folder behind.
has_target() { compgen -G "$1/lib/rustlib/$TARGET/lib/*" >/dev/null; }

distribution_ready() {
    local minor
    [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] || return 1
    [ -e "$sysroot/lib/rustlib/$host/bin/rust-lld" ] || [ -e /usr/bin/rust-lld ] ||
        compgen -G '/usr/bin/wasm-ld*' >/dev/null || return 1
    has_target /usr && return 0
    minor=$(/usr/bin/rustc -V | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 84 ] && [ -f /usr/lib/rustlib/src/rust/library/core/Cargo.toml ]
}

wasm_ready() {
    # Whoever names a toolchain answers for it.
    [ -n "${HEADWAY_WASM_TOOLCHAIN:-${WASM_BUILD_TOOLCHAIN:-}}" ] ||
        has_target "$sysroot" || distribution_ready
}

if ! wasm_ready && have rustup; then
    echo "make deps: adding the target $TARGET to the Rust toolchain"
    timeout 300 rustup target add "$TARGET" </dev/null ||
        echo "make deps: rustup could not add it; trying the distribution's packages" >&2
fi
if ! wasm_ready; then
    # Debian's newer Rust, in its security archive. It installs beside rustup's, and carries the sources of
    # the standard library, from which core and alloc are built along.
    install rustc-web cargo-web rust-web-src lld-22
fi
wasm_ready ||
    fail "no Rust toolchain here can build for $TARGET; build/wasm/src/toolchain.rs says what is tried"
