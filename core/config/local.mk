# SPDX-License-Identifier: GPL-3.0-or-later
# config: libconfig files -> model; the catalog of plugins
noinst_LIBRARIES += core/config/libconfig.a
core_config_libconfig_a_SOURCES = \
	core/config/catalog.c core/config/catalog.h \
	core/config/config.c core/config/config.h \
	core/config/config_check.c core/config/config_load.h \
	core/config/config_drill.c \
	core/config/config_main.c \
	core/config/config_recovery.c \
	core/config/config_report.c core/config/config_report.h \
	core/config/config_secret.c \
	core/config/config_show.c \
	core/config/config_source.c core/config/config_source.h \
	core/config/config_level.c \
	core/config/config_series.c core/config/config_service.c \
	core/config/config_syntax.c core/config/config_syntax.h \
	core/config/config_threshold.c \
	core/config/config_tree.c \
	core/config/config_value.c
core_config_libconfig_a_CFLAGS = $(pie_cflags) $(CONFIG_CFLAGS) $(JANSSON_CFLAGS)
config_libs = core/config/libconfig.a $(model_libs) $(CONFIG_LIBS)

unit_tests += tests/unit/test_config tests/unit/test_config_errors tests/unit/test_config_fuzz
EXTRA_DIST += tests/config/errors.txt
config_test_sources = tests/unit/config_fixture.h tests/tap.h
tests_unit_test_config_SOURCES = tests/unit/test_config.c $(config_test_sources)
tests_unit_test_config_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_config_LDFLAGS = $(pie_ldflags)
tests_unit_test_config_LDADD = $(config_libs)
tests_unit_test_config_errors_SOURCES = tests/unit/test_config_errors.c $(config_test_sources)
tests_unit_test_config_errors_CFLAGS = $(pie_cflags)
tests_unit_test_config_errors_LDFLAGS = $(pie_ldflags)
tests_unit_test_config_errors_LDADD = $(config_libs)
tests_unit_test_config_fuzz_SOURCES = tests/unit/test_config_fuzz.c $(config_test_sources)
tests_unit_test_config_fuzz_CFLAGS = $(pie_cflags)
tests_unit_test_config_fuzz_LDFLAGS = $(pie_ldflags)
tests_unit_test_config_fuzz_LDADD = $(config_libs)
