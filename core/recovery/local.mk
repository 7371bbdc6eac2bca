# SPDX-License-Identifier: GPL-3.0-or-later
# recovery: belfry-recovery, one errand of a runbook that is being followed; the keeper decides (core/keeper/recovery.c)
member_PROGRAMS += belfry-recovery
belfry_recovery_SOURCES = core/recovery/main.c
belfry_recovery_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
belfry_recovery_LDFLAGS = $(pie_ldflags)
belfry_recovery_LDADD = $(model_libs) $(CRYPTO_LIBS)

unit_tests += tests/unit/test_recovery
tests_unit_test_recovery_SOURCES = tests/unit/test_recovery.c tests/tap.h
tests_unit_test_recovery_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_recovery_LDFLAGS = $(pie_ldflags)
tests_unit_test_recovery_LDADD = $(model_libs)

system_tests += tests/system/recovery.test
