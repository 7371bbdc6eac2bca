# SPDX-License-Identifier: GPL-3.0-or-later
# journal: the append-only record: writing, recovering, reading, verifying
noinst_LIBRARIES += core/journal/libjournal.a
core_journal_libjournal_a_SOURCES = \
	core/journal/anchor.c core/journal/anchor.h \
	core/journal/chain.c core/journal/chain.h \
	core/journal/disk.c core/journal/disk.h \
	core/journal/index.c core/journal/index.h \
	core/journal/index_make.c core/journal/index_make.h \
	core/journal/journal.h \
	core/journal/keep.c \
	core/journal/key.c core/journal/key.h \
	core/journal/late.c core/journal/late.h \
	core/journal/live.c core/journal/live.h \
	core/journal/match.c core/journal/match.h \
	core/journal/pack.c core/journal/pack.h \
	core/journal/pump.c core/journal/pump.h \
	core/journal/reader.c core/journal/reader.h \
	core/journal/record.c core/journal/record.h \
	core/journal/recover.c core/journal/recover.h \
	core/journal/reserve.c core/journal/reserve.h \
	core/journal/seal.c core/journal/seal.h \
	core/journal/seal_check.c core/journal/seal_check.h \
	core/journal/segment.c core/journal/segment.h \
	core/journal/snapshot.c core/journal/snapshot.h \
	core/journal/tend.c core/journal/tend.h \
	core/journal/tomb.c core/journal/tomb.h \
	core/journal/verify.c core/journal/verify.h \
	core/journal/writer.c core/journal/writer.h
core_journal_libjournal_a_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
core_journal_libjournal_a_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS) \
	$(ZLIB_CFLAGS)
journal_libs = core/journal/libjournal.a $(base_libs) $(JANSSON_LIBS) $(ZLIB_LIBS) $(PTHREAD_LIBS) -lm

unit_tests += tests/unit/test_journal tests/unit/test_journal_crash tests/unit/test_journal_verify \
	tests/unit/test_journal_seal tests/unit/test_journal_tamper tests/unit/test_journal_keep \
	tests/unit/test_journal_space tests/unit/test_journal_index
tests_unit_test_journal_SOURCES = tests/unit/test_journal.c tests/journal.h tests/tap.h
tests_unit_test_journal_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_unit_test_journal_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_journal_LDFLAGS = $(pie_ldflags)
tests_unit_test_journal_LDADD = $(journal_libs)
tests_unit_test_journal_crash_SOURCES = tests/unit/test_journal_crash.c tests/journal_disk.h tests/journal.h tests/tap.h
tests_unit_test_journal_crash_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_unit_test_journal_crash_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_journal_crash_LDFLAGS = $(pie_ldflags)
tests_unit_test_journal_crash_LDADD = $(journal_libs)
tests_unit_test_journal_verify_SOURCES = tests/unit/test_journal_verify.c tests/journal.h tests/journal_peer.h tests/tap.h
tests_unit_test_journal_verify_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_unit_test_journal_verify_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_journal_verify_LDFLAGS = $(pie_ldflags)
tests_unit_test_journal_verify_LDADD = $(journal_libs)
tests_unit_test_journal_seal_SOURCES = tests/unit/test_journal_seal.c tests/journal.h tests/tap.h
tests_unit_test_journal_seal_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_unit_test_journal_seal_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_journal_seal_LDFLAGS = $(pie_ldflags)
tests_unit_test_journal_seal_LDADD = $(journal_libs)
tests_unit_test_journal_tamper_SOURCES = tests/unit/test_journal_tamper.c tests/journal_image.h tests/journal.h tests/journal_peer.h tests/tap.h
tests_unit_test_journal_tamper_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_unit_test_journal_tamper_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_journal_tamper_LDFLAGS = $(pie_ldflags)
tests_unit_test_journal_tamper_LDADD = $(journal_libs)
tests_unit_test_journal_keep_SOURCES = tests/unit/test_journal_keep.c tests/journal_bad_disk.h tests/journal.h tests/journal_peer.h tests/tap.h
tests_unit_test_journal_keep_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_unit_test_journal_keep_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_journal_keep_LDFLAGS = $(pie_ldflags)
tests_unit_test_journal_keep_LDADD = $(journal_libs)
tests_unit_test_journal_space_SOURCES = tests/unit/test_journal_space.c tests/journal.h tests/tap.h
tests_unit_test_journal_space_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_unit_test_journal_space_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_journal_space_LDFLAGS = $(pie_ldflags)
tests_unit_test_journal_space_LDADD = $(journal_libs)
tests_unit_test_journal_index_SOURCES = tests/unit/test_journal_index.c tests/journal.h tests/tap.h
tests_unit_test_journal_index_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_unit_test_journal_index_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_unit_test_journal_index_LDFLAGS = $(pie_ldflags)
tests_unit_test_journal_index_LDADD = $(journal_libs)

system_tests += tests/system/seal.test tests/system/keep.test tests/system/promise.test tests/system/golden.test

EXTRA_DIST += doc/adr/0040-record-then-evolve.md doc/adr/0041-checkpoint-before-drop.md doc/adr/0044-index-by-subject.md \
	doc/journal-format.md tests/peers/journal_verify.py \
	tests/golden

# 10 million records: how long questions, verify and a start take; figures in doc/BENCH.md
EXTRA_DIST += tests/bench/journal.sh
check_PROGRAMS += tests/bench/bench_journal
tests_bench_bench_journal_SOURCES = tests/bench/bench_journal.c
tests_bench_bench_journal_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE
tests_bench_bench_journal_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_bench_bench_journal_LDFLAGS = $(pie_ldflags)
tests_bench_bench_journal_LDADD = $(journal_libs)
bench-journal: all tests/bench/bench_journal$(EXEEXT) tests/peers/feed_samples$(EXEEXT)
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/bench/journal.sh
.PHONY: bench-journal

# the full share of what `make check` does a part of
torture-journal: tests/unit/test_journal_tamper$(EXEEXT)
	$(AM_TESTS_ENVIRONMENT) TAMPER_JOURNALS=100 tests/unit/test_journal_tamper
.PHONY: torture-journal
