#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# fuzz.sh [TARGET...] - builds the fuzz targets with clang, libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer in
# fuzz-build/ and runs each for FUZZ_SECONDS (60), from the kept corpus. What is found
# stays in fuzz-build/found/NAME; an input that a target does not survive in fuzz-build/crash/NAME-*.
# FUZZ_KEEP=1 adds what brought new edges to the kept corpus, as few files as have them all.
set -u
: "${top_srcdir:?run it by make fuzz}" "${top_builddir:?}"
seconds=${FUZZ_SECONDS:-60}
build=${FUZZ_BUILD:-$top_builddir/fuzz-build}
names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(sed -n 's/^fuzz_names = //p' "$top_srcdir/tests/fuzz/local.mk" | tr ' ' '\n')
command -v clang >/dev/null || { echo "fuzz: SKIPPED: there is no clang; install clang and libclang-rt-14-dev"; exit 77; }
mkdir -p "$build/crash"
cd "$build" || exit 1
if [ ! -f Makefile ]; then
    "$top_srcdir/configure" --enable-sanitizers --enable-fuzzers CC="${FUZZ_CC:-clang}" CFLAGS='-O1 -g' >configure.log 2>&1 ||
        { tail -n 5 configure.log; echo "fuzz: can't be configured"; exit 1; }
fi
make -j"$(nproc)" "${names[@]/#/tests/fuzz/fuzz_}" >make.log 2>&1 || { grep -E 'error|undefined' make.log | head; echo "fuzz: does not build"; exit 1; }

export ASAN_OPTIONS=detect_stack_use_after_return=0:${ASAN_OPTIONS:-}
export LSAN_OPTIONS=suppressions=$top_srcdir/tests/lsan.supp:print_suppressions=0
export TMPDIR
TMPDIR=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/belfry-fuzz-all.XXXXXX") # targets that end early leave things there
trap 'rm -rf "$TMPDIR"' EXIT
crashes=0 total=0 TIMEFORMAT='%U %S'
run_one() { # NAME
    local name=$1 corpus=$top_srcdir/tests/fuzz/corpus/$1 dictionary=$top_srcdir/tests/fuzz/dictionaries/$1.dict
    mkdir -p "found/$name" "$corpus"
    local arguments=(-max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="crash/$name-" -timeout=20 -rss_limit_mb=3000
        -max_len="${FUZZ_MAX_LEN:-16384}" -detect_leaks=1)
    [ ! -f "$dictionary" ] || arguments+=(-dict="$dictionary")
    local status execs first last cpu
    cpu=$({ time "tests/fuzz/fuzz_$name" "${arguments[@]}" "found/$name" "$corpus" >"$name.log" 2>&1; } 2>&1; echo "$?")
    status=${cpu##*$'\n'} cpu=$(awk '{ printf "%d", $1 + $2; exit }' <<<"$cpu")
    execs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$name.log")
    first=$(sed -n 's/.*INITED cov: \([0-9]*\).*/\1/p' "$name.log" | head -n 1)
    last=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$name.log" | tail -n 1)
    total=$((total + ${execs:-0}))
    printf 'fuzz: %-9s %10s runs, %6s edges, %5s of them new, %4s s of CPU, %s\n' "$name" "${execs:-?}" "${last:-?}" "$((${last:-0} - ${first:-0}))" "$cpu" \
        "$([ $status = 0 ] && echo well || echo "FAILED, see $build/$name.log")"
    [ $status = 0 ] || { crashes=$((crashes + 1)); grep -E 'ERROR|must hold|SUMMARY|Test unit written' "$name.log" | head -n 5; }
}
keep() { # NAME
    local name=$1 corpus=$top_srcdir/tests/fuzz/corpus/$1
    mkdir -p "merged/$name"
    "tests/fuzz/fuzz_$name" -merge=1 "merged/$name" "$corpus" "found/$name" >"$name.merge.log" 2>&1
    # the smallest of what is new, so that the corpus stays a few dozen files
    local file room=$((60 - $(find "$corpus" -type f | wc -l)))
    find "merged/$name" -type f -size -4k -printf '%s %p\n' | sort -n | while read -r _ file; do
        [ "$room" -gt 0 ] || break
        cmp -s "$file" "$corpus/$(basename "$file")" && continue
        cp "$file" "$corpus/" && room=$((room - 1))
    done
}
for name in "${names[@]}"; do
    run_one "$name"
    [ -z "${FUZZ_KEEP:-}" ] || keep "$name"
done
echo "fuzz: ${#names[@]} targets, $total runs, $crashes failed"
[ "$crashes" = 0 ]
