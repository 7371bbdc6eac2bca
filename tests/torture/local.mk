# SPDX-License-Identifier: GPL-3.0-or-later
# torture: crash campaigns over the journal and the family; figures in doc/RELIABILITY.md
check_LTLIBRARIES += tests/torture/badisk.la
tests_torture_badisk_la_SOURCES = tests/torture/badisk.c
# not sanitized: it is loaded before the sanitizers' own libraries
tests_torture_badisk_la_CFLAGS = -std=gnu11 $(WARN_CFLAGS) -O1
tests_torture_badisk_la_LDFLAGS = -module -avoid-version -rpath /nowhere
tests_torture_badisk_la_LIBADD = -ldl

system_tests += tests/system/disk.test

check_PROGRAMS += tests/torture/torture
tests_torture_torture_SOURCES = tests/torture/torture.c
tests_torture_torture_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS)
tests_torture_torture_LDFLAGS = $(pie_ldflags)
tests_torture_torture_LDADD = $(journal_libs)

# how mutants are built; tests that are scripts get it too
mutants_env = MUTANT_CPPFLAGS='$(AM_CPPFLAGS)' MUTANT_CFLAGS='$(HARDEN_CFLAGS) $(PIE_CFLAGS) $(PTHREAD_CFLAGS) $(CFLAGS)' \
	MUTANT_LDFLAGS='$(AM_LDFLAGS) $(PIE_LDFLAGS)' MUTANT_LIBS='$(journal_libs)' MUTANT_DAEMON='$(belfryd_OBJECTS) $(belfryd_LDADD)'; \
	export MUTANT_CPPFLAGS MUTANT_CFLAGS MUTANT_LDFLAGS MUTANT_LIBS MUTANT_DAEMON;
mutants: all tests/bench/bench_journal
	$(AM_TESTS_ENVIRONMENT) /usr/bin/python3 $(top_srcdir)/tests/torture/mutants.py $(MUTANTS)
torture: all
	$(MAKE) $(AM_MAKEFLAGS) tests/torture/torture tests/bench/bench_journal tests/torture/badisk.la tests/torture/nth.la tests/torture/nth-calls.la
	$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/torture/torture.sh
# restore drills alone; DRILL_KILLS=1000
torture-drill: all
	$(AM_TESTS_ENVIRONMENT) /usr/bin/python3 $(top_srcdir)/tests/torture/drills.py $(DRILL_KILLS)
DRILL_KILLS = 1000
.PHONY: torture torture-drill mutants

system_tests += tests/system/torture.test
EXTRA_DIST += doc/RELIABILITY.md tests/torture/torture.sh tests/torture/powercut.sh tests/torture/family.py \
	tests/torture/daemon.py tests/torture/drills.py tests/torture/mutants.py
