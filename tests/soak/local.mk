# SPDX-License-Identifier: GPL-3.0-or-later
# soak: a family under load and among evil plugins; `make soak SOAK_MINUTES=10`
check_LTLIBRARIES += tests/soak/leaky.la
tests_soak_leaky_la_SOURCES = tests/soak/leaky.c
tests_soak_leaky_la_LDFLAGS = $(fixture_ldflags)
system_tests += tests/system/soak.test
EXTRA_DIST += tests/soak/soak.py
SOAK_MINUTES = 10
soak: all $(check_LTLIBRARIES)
	mkdir -p soak-out
	$(AM_TESTS_ENVIRONMENT) /usr/bin/python3 $(top_srcdir)/tests/soak/soak.py --minutes $(SOAK_MINUTES) --out soak-out
.PHONY: soak
