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

mutants_env = CC='$(CC)' CPPFLAGS='$(AM_CPPFLAGS)' CFLAGS='$(HARDEN_CFLAGS) $(PIE_CFLAGS) $(CFLAGS) -O1' \
	LDFLAGS='$(AM_LDFLAGS) $(PIE_LDFLAGS)' LIBS='$(journal_libs)'
