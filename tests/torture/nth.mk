# SPDX-License-Identifier: GPL-3.0-or-later
# nth: the Nth call of each kind fails; `make torture-nth NTH_SECONDS=600`, a part of `make torture`
check_LTLIBRARIES += tests/torture/nth.la tests/torture/nth-calls.la
tests_torture_nth_la_SOURCES = tests/torture/nth.c
# without sanitizers: it is loaded before them
tests_torture_nth_la_CFLAGS = -std=gnu11 $(WARN_CFLAGS) -U_FORTIFY_SOURCE
tests_torture_nth_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
tests_torture_nth_la_LIBADD = $(DL_LIBS)
# the same without memory: AddressSanitizer has an allocator of its own
tests_torture_nth_calls_la_SOURCES = $(tests_torture_nth_la_SOURCES)
tests_torture_nth_calls_la_CFLAGS = $(tests_torture_nth_la_CFLAGS) -DNTH_WITHOUT_MEMORY
tests_torture_nth_calls_la_LDFLAGS = $(tests_torture_nth_la_LDFLAGS)
tests_torture_nth_calls_la_LIBADD = $(DL_LIBS)
system_tests += tests/system/nth.test
EXTRA_DIST += tests/torture/nth.py
NTH_SECONDS = 600
torture-nth: all $(check_LTLIBRARIES)
	$(AM_TESTS_ENVIRONMENT) /usr/bin/python3 $(top_srcdir)/tests/torture/nth.py --seconds $(NTH_SECONDS)
.PHONY: torture-nth
