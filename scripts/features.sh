#!/usr/bin/env bash
# Fails if building the tests would compile dependencies a second time: a dev-dependency that enables a
# feature which the program does not use makes `cargo test` rebuild that crate and all that depend on it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What cargo would compile, one library per line: package, features, host or target, profile.
units() {
    # The list is not stable yet; the bootstrap switch opens it on stable compilers.
    RUSTC_BOOTSTRAP=1 cargo "$@" --workspace --locked --unit-graph -Z unstable-options | node -e '
        const { units } = JSON.parse(require("fs").readFileSync(0, "utf8"))
        for (const { pkg_id, target, mode, features, platform, profile } of units) {
            if (mode !== "build" || !target.kind.some((kind) => /lib|proc-macro/.test(kind))) continue
            delete profile.name
            console.log([pkg_id, features.join(), platform ?? "", JSON.stringify(profile)].join(" "))
        }' | sort -u
}

built=$(units build)
tested=$(units test --no-run)
# Built, and not what the tests use.
changed=$(comm -23 <(echo "$built") <(echo "$tested") | cut -d' ' -f1,2)
if [ -n "$changed" ]; then
    {
        echo 'These libraries are compiled with these features, and again with others when tests are built.'
        echo 'Enable those in the normal dependencies of a crate that is always built, or do without:'
        echo "$changed"
    } >&2
    exit 1
fi
