# SPDX-License-Identifier: GPL-3.0-or-later
# recorder: RRD files: belfry-recorder writes them, belfry-graph draws them; the only room that knows librrd
noinst_LIBRARIES += core/recorder/librecorder.a
core_recorder_librecorder_a_SOURCES = \
	core/recorder/args.c core/recorder/args.h \
	core/recorder/bands.c core/recorder/bands.h \
	core/recorder/cached.c core/recorder/cached.h \
	core/recorder/compose.c core/recorder/compose.h \
	core/recorder/crash.c core/recorder/crash.h \
	core/recorder/export.c core/recorder/export.h \
	core/recorder/decor.c core/recorder/decor.h \
	core/recorder/drawing.h \
	core/recorder/figures.c core/recorder/figures.h \
	core/recorder/font.c core/recorder/font.h \
	core/recorder/header.c core/recorder/header.h \
	core/recorder/ink.c core/recorder/ink.h \
	core/recorder/layout.c core/recorder/layout.h \
	core/recorder/learn.c core/recorder/learn.h \
	core/recorder/ledger.c core/recorder/ledger.h \
	core/recorder/legend.c core/recorder/legend.h \
	core/recorder/name.c core/recorder/name.h \
	core/recorder/page.c core/recorder/page.h \
	core/recorder/past.c core/recorder/past.h core/recorder/past_file.c \
	core/recorder/pending.c core/recorder/pending.h \
	core/recorder/picture.c core/recorder/picture.h \
	core/recorder/queue.c core/recorder/queue.h \
	core/recorder/request.c core/recorder/request.h \
	core/recorder/retain.c core/recorder/retain.h \
	core/recorder/revive.c core/recorder/revive.h \
	core/recorder/row.c core/recorder/row.h \
	core/recorder/scale.c core/recorder/scale.h \
	core/recorder/shelf.c core/recorder/shelf.h \
	core/recorder/sketch.c \
	core/recorder/store.c core/recorder/store.h \
	core/recorder/track.c core/recorder/track.h \
	core/recorder/usual.c core/recorder/usual.h \
	core/recorder/wal.c core/recorder/wal.h
core_recorder_librecorder_a_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS) $(RRD_CFLAGS) $(CAIRO_CFLAGS)
recorder_libs = core/recorder/librecorder.a $(model_libs) $(RRD_LIBS) $(CAIRO_LIBS) $(JANSSON_LIBS)

member_PROGRAMS += belfry-recorder belfry-graph
belfry_recorder_SOURCES = core/recorder/recorder.c
belfry_recorder_CFLAGS = $(pie_cflags)
belfry_recorder_LDFLAGS = $(pie_ldflags)
belfry_recorder_LDADD = core/sandbox/libsandbox.a $(recorder_libs) $(SECCOMP_LIBS)
belfry_graph_SOURCES = core/recorder/graph.c
belfry_graph_CFLAGS = $(pie_cflags)
belfry_graph_LDFLAGS = $(pie_ldflags) $(LEAN_LDFLAGS)
belfry_graph_LDADD = core/sandbox/libsandbox.a $(recorder_libs) $(SECCOMP_LIBS)

unit_tests += tests/unit/test_past tests/unit/test_recorder tests/unit/test_recorder_track tests/unit/test_recorder_history \
	tests/unit/test_recorder_damage tests/unit/test_recorder_wire tests/unit/test_recorder_crash tests/unit/test_recorder_fuzz
tests_unit_test_past_SOURCES = tests/unit/test_past.c tests/tap.h
tests_unit_test_past_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_past_LDFLAGS = $(pie_ldflags)
tests_unit_test_past_LDADD = $(recorder_libs)
tests_unit_test_recorder_SOURCES = tests/unit/test_recorder.c tests/recorder.h tests/tap.h
tests_unit_test_recorder_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_recorder_LDFLAGS = $(pie_ldflags)
tests_unit_test_recorder_LDADD = $(recorder_libs)

tests_unit_test_recorder_track_SOURCES = tests/unit/test_recorder_track.c tests/recorder.h tests/tap.h
tests_unit_test_recorder_track_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_recorder_track_LDFLAGS = $(pie_ldflags)
tests_unit_test_recorder_track_LDADD = $(recorder_libs)

tests_unit_test_recorder_history_SOURCES = tests/unit/test_recorder_history.c tests/recorder.h tests/tap.h
tests_unit_test_recorder_history_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_recorder_history_LDFLAGS = $(pie_ldflags)
tests_unit_test_recorder_history_LDADD = $(recorder_libs)

tests_unit_test_recorder_damage_SOURCES = tests/unit/test_recorder_damage.c tests/recorder.h tests/tap.h
tests_unit_test_recorder_damage_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_recorder_damage_LDFLAGS = $(pie_ldflags)
tests_unit_test_recorder_damage_LDADD = $(recorder_libs)

tests_unit_test_recorder_wire_SOURCES = tests/unit/test_recorder_wire.c tests/peers/keeper_of_recorder.h tests/tap.h
tests_unit_test_recorder_wire_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_recorder_wire_LDFLAGS = $(pie_ldflags)
tests_unit_test_recorder_wire_LDADD = $(recorder_libs)

tests_unit_test_recorder_crash_SOURCES = tests/unit/test_recorder_crash.c tests/peers/keeper_of_recorder.h tests/tap.h
tests_unit_test_recorder_crash_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_recorder_crash_LDFLAGS = $(pie_ldflags)
tests_unit_test_recorder_crash_LDADD = $(recorder_libs)

tests_unit_test_recorder_fuzz_SOURCES = tests/unit/test_recorder_fuzz.c tests/peers/keeper_of_recorder.h tests/tap.h
tests_unit_test_recorder_fuzz_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_recorder_fuzz_LDFLAGS = $(pie_ldflags)
tests_unit_test_recorder_fuzz_LDADD = $(recorder_libs)

unit_tests += tests/unit/test_history
tests_unit_test_history_SOURCES = tests/unit/test_history.c tests/tap.h
tests_unit_test_history_CFLAGS = $(pie_cflags)
tests_unit_test_history_LDFLAGS = $(pie_ldflags)
tests_unit_test_history_LDADD = $(recorder_libs)

# a longer run than that of make check: make fuzz-rrd [FUZZ_RRD=200000] [FUZZ_SEED=7]
FUZZ_RRD = 100000
FUZZ_SEED = 1
fuzz-rrd: tests/unit/test_recorder_fuzz belfry-recorder
	top_builddir=$(abs_top_builddir) FUZZ_RRD=$(FUZZ_RRD) FUZZ_SEED=$(FUZZ_SEED) tests/unit/test_recorder_fuzz
.PHONY: fuzz-rrd

# what the recorder costs beside librrd itself
check_PROGRAMS += tests/bench/bench_recorder
tests_bench_bench_recorder_SOURCES = tests/bench/bench_recorder.c tests/peers/keeper_of_recorder.h
tests_bench_bench_recorder_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_bench_bench_recorder_LDFLAGS = $(pie_ldflags)
tests_bench_bench_recorder_LDADD = $(recorder_libs)

# plays the keeper for the recorder: what graph.test draws
check_PROGRAMS += tests/peers/feed_recorder
tests_peers_feed_recorder_SOURCES = tests/peers/feed_recorder.c tests/peers/keeper_of_recorder.h
tests_peers_feed_recorder_CFLAGS = $(pie_cflags)
tests_peers_feed_recorder_LDFLAGS = $(pie_ldflags)
tests_peers_feed_recorder_LDADD = $(model_libs)
# likewise, for samples on its stdin
check_PROGRAMS += tests/peers/feed_samples
tests_peers_feed_samples_SOURCES = tests/peers/feed_samples.c tests/peers/keeper_of_recorder.h
tests_peers_feed_samples_CFLAGS = $(pie_cflags)
tests_peers_feed_samples_LDFLAGS = $(pie_ldflags)
tests_peers_feed_samples_LDADD = $(model_libs)

unit_tests += tests/unit/test_export
tests_unit_test_export_SOURCES = tests/unit/test_export.c tests/tap.h
tests_unit_test_export_CFLAGS = $(pie_cflags) $(RRD_CFLAGS)
tests_unit_test_export_LDFLAGS = $(pie_ldflags)
tests_unit_test_export_LDADD = $(recorder_libs)
system_tests += tests/system/baseline.test tests/system/graph.test tests/system/recorder.test tests/system/series.test tests/system/year.test
system_tests += tests/system/graph-history.test
EXTRA_DIST += tests/peers/pixels.py
