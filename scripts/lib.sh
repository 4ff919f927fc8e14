# shellcheck shell=bash
# What the scripts share: messages, the places of things, the two nginx versions.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '==> %s\n' "$*"; }

# Usage: die "what is wrong" ["what to do about it"]...
die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    shift
    [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
    exit 1
}

# The version this run is about: `debian` (1.22.1, the package) or `1.28` (built from source).
check_nginx_version() {
    case $1 in
        debian | 1.28) ;;
        *) die "unknown nginx version '$1'" "use --nginx debian or --nginx 1.28" ;;
    esac
}

# The configured source tree; its objs/ is what the bindings are generated from.
nginx_tree() { echo "$root/target/nginx/$1"; }

nginx_binary() {
    case $1 in
        debian) echo /usr/sbin/nginx ;;
        *) echo "$(nginx_tree "$1")/objs/nginx" ;;
    esac
}

module_path() {
    case $1 in
        debian) echo "$root/target/module/ngx_rtmp_module.so" ;;
        *) echo "$root/target/module-$1/ngx_rtmp_module.so" ;;
    esac
}

# Cargo's target directory: one per nginx, or each build would throw away the other's bindings.
cargo_target() {
    local target=${CARGO_TARGET_DIR:-$root/target}
    case $1 in
        debian) echo "$target" ;;
        *) echo "$target/nginx-$1" ;;
    esac
}

# Runs a cargo command on fuzz/, a package of its own.
cargo_fuzz() {
    CARGO_TARGET_DIR=$(fuzz_target) cargo "$1" --locked --manifest-path fuzz/Cargo.toml "${@:2}"
}

fuzz_target() { echo "$(cargo_target debian)/fuzz"; }

# Usage: npm_ci PACKAGE DIRECTORY   Installs what PACKAGE's lock file pins, in DIRECTORY.
npm_ci() {
    mkdir -p "$2"
    cp "$1/package.json" "$1/package-lock.json" "$2/"
    npm ci --prefix "$2" --silent --no-audit --no-fund ||
        die "npm could not install what $1/package-lock.json names" "check the network to the npm registry"
}
