#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# powercut.sh ROUNDS [lie] - power cuts without a power switch: the writer runs on an ext4 file system in an image; at a
# random moment it is stopped, what it has acknowledged is read, and the image is copied, until nothing changed meanwhile:
# what is in the copy is what had reached the disk. The copy is mounted (ext4 replays its own journal), recovered and
# checked. Every second writer begins a new journal, the others go on with one.
# With `lie` the writer never syncs: then the campaign must find losses, or it is blind. Exit status 0: nothing lost;
# 1: something was; 77: can't be tried here.
set -u
rounds=${1:?rounds} lie=${2:-}
# Mounts of our own: a process of somebody else that copies them would keep a copy mounted behind our back, and the next
# mount of the same file would then show its old content.
if [ "$(id -u)" = 0 ] && [ -z "${POWERCUT_ALONE:-}" ]; then
    POWERCUT_ALONE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
torture=${top_builddir:?}/tests/torture/torture
work=$(mktemp -d "${TMPDIR:-/tmp}/belfry-powercut.XXXXXX")
writer=
cleanup() {
    [ -z "$writer" ] || { kill -KILL "$writer" && wait "$writer"; } 2>/dev/null
    umount -l "$work/copy" "$work/disk" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/disk" "$work/copy"
truncate -s 24M "$work/image"
PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" != 0 ] || ! mkfs.ext4 -q -J size=4 "$work/image" 2>/dev/null || ! mount -o loop "$work/image" "$work/disk" 2>/dev/null; then
    echo "powercut: SKIP: an ext4 image can't be made and mounted here (needs root, loop devices and mkfs.ext4)"
    exit 77
fi
pause() { sleep "0.$(printf %03d $((RANDOM % ${1:-60})))"; }
begin() { # a writer
    : >"$work/acked"
    "$torture" write "$work/disk/j" $lie >>"$work/acked" 2>"$work/log" &
    writer=$!
    until [ -s "$work/acked" ]; do
        kill -0 "$writer" 2>/dev/null || { cat "$work/log" "$work/acked"; return 1; }
        sleep 0.01
    done
}
end() {
    kill -KILL "$writer"
    wait "$writer" 2>/dev/null
    writer=
    [ $((RANDOM % 2)) = 0 ] || rm -rf "$work/disk/j" # the next one goes on, or begins anew
    [ "$(du -sk "$work/disk/j" 2>/dev/null | cut -f 1)0" -lt 80000 ] || rm -rf "$work/disk/j"
}
lost=0 torn=0 round=0 acked=0 moving=0
while [ "$round" -lt "$rounds" ]; do
    [ -n "$writer" ] || begin || exit 1
    pause
    kill -STOP "$writer"
    until [ "$(cut -d ' ' -f 3 "/proc/$writer/stat")" = T ]; do sleep 0.001; done
    last=$(tail -n 1 "$work/acked")
    round=$((round + 1))
    # another file each time: loop devices are used again by file
    until cp --sparse=always "$work/image" "$work/image.$round" && cmp -s "$work/image" "$work/image.$round"; do
        moving=$((moving + 1)) # the kernel was writing meanwhile: what was copied is of no single moment
    done
    kill -CONT "$writer"
    acked=$((acked + last))
    mount -o loop "$work/image.$round" "$work/copy" || exit 1
    if said=$("$torture" check "$work/copy/j" "$last" 2>&1); then
        [ "$said" != torn ] || torn=$((torn + 1))
    else
        lost=$((lost + 1))
        [ -n "$lie" ] || echo "powercut: round $round: $said ($last acknowledged)"
    fi
    umount "$work/copy" || exit 1
    rm "$work/image.$round"
    [ $((round % 8)) != 0 ] || end
    [ $((round % 100)) != 0 ] || echo "  $round power cuts, $torn torn tails, $lost lost" >&2
done
echo "powercut${lie:+ without syncs}: $rounds power cuts, $torn torn tails, $lost with losses ($moving copies that were of no single moment were made again)"
[ "$lost" = 0 ]
