#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# torture.sh - all crash campaigns in full, for `make torture`; the counts can be set in the environment. Each prints its
# progress and ends with a summary line; the last line says how many of them held.
set -u
here=$(dirname "$0")
torture=${top_builddir:?}/tests/torture/torture
work=$(mktemp -d "${TMPDIR:-/tmp}/belfry-torture.XXXXXX")
trap 'rm -rf "$work"' EXIT
held=0 failed=0 skipped=0
campaign() { # EXPECTED-STATUS COMMAND...
    local want=$1 status
    shift
    "$@"
    status=$?
    if [ "$status" = "$want" ]; then held=$((held + 1)); elif [ "$status" = 77 ]; then skipped=$((skipped + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $* (status $status)"
    fi
}
campaign 0 "$torture" kill "$work/kill" "${TORTURE_KILLS:-10000}"
campaign 0 "$torture" points "$work/points" "${TORTURE_STRIDE:-1}"
campaign 0 "$torture" restart "$work/restart" "${TORTURE_RECORDS:-1000000}"
campaign 0 bash "$here/powercut.sh" "${TORTURE_POWERCUTS:-1000}"
campaign 1 bash "$here/powercut.sh" "${TORTURE_LIES:-40}" lie # without syncs there must be losses
campaign 0 /usr/bin/python3 "$here/family.py" "${TORTURE_FAMILY:-10000}"
campaign 0 /usr/bin/python3 "$here/drills.py" "${TORTURE_DRILLS:-1000}"
campaign 0 /usr/bin/python3 "$here/nth.py" --seconds "${TORTURE_NTH:-600}"
campaign 0 /usr/bin/python3 "$here/mutants.py" ${TORTURE_MUTANTS:-}
echo "torture: $held campaigns held, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
