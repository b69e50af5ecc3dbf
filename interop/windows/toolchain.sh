#!/usr/bin/env bash
# toolchain.sh FOLDER: a Rust for x86_64-pc-windows-gnu beside the host's, for type-checking.
#
# Debian has a rustc with the sources of its own standard library, and a cross C compiler (build scripts want one). The
# packages of rustc are unpacked, never installed, so that the host's cargo stays the only one; the standard library is
# built once. Prints nothing but faults; doing it twice is doing it once.
set -euo pipefail
folder=$(realpath -m "${1:?expected a folder}")
target=x86_64-pc-windows-gnu
[ -e "$folder/ready" ] && exit 0
mkdir -p "$folder/packages" "$folder/bin" "$folder/std/src"

std=$(apt-cache depends libstd-rust-web-dev | awk '/Depends: libstd-rust-web-[0-9]/{print $2}')
llvm=$(apt-cache depends "$std" | awk '/Depends: libllvm/{print $2}')
(cd "$folder/packages" && apt-get download -q=2 rustc-web libstd-rust-web-dev "$std" "$llvm" rust-web-src >/dev/null)
for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/unpacked"; done
for program in rustc rustdoc; do
  printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s/unpacked/usr/lib/x86_64-linux-gnu\nexec %s/unpacked/usr/bin/%s "$@"\n' \
    "$folder" "$folder" "$program" >"$folder/bin/$program"
  chmod +x "$folder/bin/$program"
done

# RUSTC_BOOTSTRAP is for this one build of the standard library.
printf '[package]\nname = "std-for-windows"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n' >"$folder/std/Cargo.toml"
: >"$folder/std/src/lib.rs"
(cd "$folder/std" && RUSTC="$folder/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$folder/std/target" \
  cargo build -q --release -Zbuild-std=std,panic_unwind,panic_abort --target "$target")
place="$folder/unpacked/usr/lib/rustlib/$target/lib"
mkdir -p "$place"
rm -f "$folder/std/target/$target/release/deps/"libstd_for_windows*
cp "$folder/std/target/$target/release/deps/"*.rlib "$place/"
rm -rf "$folder/std" "$folder/packages"
touch "$folder/ready"
