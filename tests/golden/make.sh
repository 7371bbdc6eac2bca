#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the golden state folder of this release: bash tests/golden/make.sh VERSION (top_builddir and top_srcdir set). Run it
# once, with what is released, and never again: what it has made must load for ever (tests/system/golden.test).
. "${top_srcdir:?}/tests/lib.sh" || exit 1
golden=$top_srcdir/tests/golden/${1:?the version}
[ ! -e "$golden" ] || { echo "'$golden' is there: what is released is not made again"; exit 1; }
mkdir -p "$golden" "$scratch/var"
cat >"$golden/services.conf" <<'CONF'
journal: { segment = "64KiB"; keep = "1d"; };
services: { files: { checks: {
    gone: { plugin = "file-age"; path = "/nonexistent/belfry-golden"; every = "1d"; retry = { attempts = 2; backoff = "1s"; }; };
    root: { plugin = "file-age"; path = "/"; every = "1d"; };
}; }; };
CONF
write_conf <"$golden/services.conf"
known() { check_is files/gone hard true && check_is files/root known true; }
start_belfryd || exit 1
eventually 60 known || exit 1
b breaker open files/root || exit 1
stop_belfryd
"$top_builddir/tests/bench/bench_journal" "$scratch/var/journal" 700 3 65536 >/dev/null
b journal seal --setup | grep -o '0:[0-9a-f]\{64\}' >"$golden/key"
start_belfryd || exit 1
dropped() { [ ! -e "$scratch/var/journal/00000000000000000001.jsonl.gz" ] && b journal query --type journal.dropped | grep -q .; }
eventually 60 dropped || exit 1
stop_belfryd
ls -la "$scratch/var/journal"
for check in files/gone files/root; do :; done
start_belfryd || exit 1
for check in files/gone files/root; do
    echo "$check $(check_field $check state) $(check_field $check hard_state) $(check_field $check since) $(check_field $check breaker.hold)"
done >"$golden/expected"
stop_belfryd
b journal head >"$golden/head"
mkdir -p "$golden/var/state"
cp -r "$scratch/var/journal" "$scratch/var/journal.key" "$golden/var/"
cp "$scratch/var/state/snapshot.json" "$golden/var/state/"
rm -f "$golden"/var/journal/*.idx "$golden/var/journal/reserve"
chmod -R u+rwX,go+rX "$golden"
cat "$golden/expected"
du -sh "$golden"
