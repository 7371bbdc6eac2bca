#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# recorder.sh [FILES] [ROUNDS] [ROWS]: CPU of the recorder beside a bare loop of rrd_update_r that makes the same updates, and how soon it
# starts with 100,000 files. In memory (/dev/shm) when there is room, so that a disk's waits do not count.
. "${top_srcdir:?run it by make bench}/tests/lib.sh" || exit 1
folder=$(mktemp -d /dev/shm/belfry-bench.XXXXXX 2>/dev/null) || folder=$scratch/rrd
"$top_builddir/tests/bench/bench_recorder" "$top_builddir/belfry-recorder" "$folder" "${1:-5000}" "${2:-30}" "${3:-1}"
status=$?
rm -rf "$folder"
exit $status
