#!/usr/bin/env bash
# What cargo calls in place of rustc for the crates of the workspace, when it lints them (`make lint`). `cargo clippy` would
# check every dependency anew; `cargo build` with this takes them as they were built.
set -euo pipefail

args=()
build_script=
for arg; do
    case $arg in
        build_script_*) build_script=1 ;;
        # A program or a test: it need not be linked, unless it is run to build something else.
        --emit=dep-info,link) [ -n "$build_script" ] || arg=--emit=dep-info,metadata ;;
    esac
    args+=("$arg")
done
# Nothing of it is run.
exec clippy-driver "${args[@]}" -C opt-level=0 -C debuginfo=0
