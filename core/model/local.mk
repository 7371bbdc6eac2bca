# SPDX-License-Identifier: GPL-3.0-or-later
# model: plain data: state, range, baseline, plugin, task, result, verdict, series, configuration, event
noinst_LIBRARIES += core/model/libmodel.a
core_model_libmodel_a_SOURCES = \
	core/model/baseline.c core/model/baseline.h \
	core/model/config.c core/model/config.h \
	core/model/drill.c core/model/drill.h core/model/drill_on.c core/model/drill_smoke.c core/model/drill_smoke.h \
	core/model/event.c core/model/event.h \
	core/model/evidence.c core/model/evidence.h \
	core/model/history.c core/model/history.h \
	core/model/ledger.h \
	core/model/limit.c core/model/limit.h \
	core/model/plugin.c core/model/plugin.h core/model/plugin_needs.c core/model/plugin_private.h \
	core/model/plugin_type.c core/model/plugin_view.c \
	core/model/range.c core/model/range.h \
	core/model/recovery.c core/model/recovery.h core/model/runbook.c core/model/runbook.h \
	core/model/result.c core/model/result.h \
	core/model/series.c core/model/series.h \
	core/model/state.c core/model/state.h \
	core/model/task.c core/model/task.h \
	core/model/verdict.c core/model/verdict.h core/model/verdict_nagios.c
core_model_libmodel_a_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
model_libs = core/model/libmodel.a $(base_libs) $(JANSSON_LIBS)

unit_tests += tests/unit/test_codec tests/unit/test_event tests/unit/test_limit tests/unit/test_model tests/unit/test_plugin tests/unit/test_range tests/unit/test_verdict
tests_unit_test_codec_SOURCES = tests/unit/test_codec.c tests/tap.h
tests_unit_test_codec_CFLAGS = $(pie_cflags)
tests_unit_test_codec_LDFLAGS = $(pie_ldflags)
tests_unit_test_codec_LDADD = $(model_libs)
tests_unit_test_event_SOURCES = tests/unit/test_event.c tests/tap.h
tests_unit_test_event_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_event_LDFLAGS = $(pie_ldflags)
tests_unit_test_event_LDADD = $(model_libs)
tests_unit_test_limit_SOURCES = tests/unit/test_limit.c tests/tap.h
tests_unit_test_limit_CFLAGS = $(pie_cflags)
tests_unit_test_limit_LDFLAGS = $(pie_ldflags)
tests_unit_test_limit_LDADD = $(model_libs)
tests_unit_test_model_SOURCES = tests/unit/test_model.c tests/tap.h
tests_unit_test_model_CFLAGS = $(pie_cflags)
tests_unit_test_model_LDFLAGS = $(pie_ldflags)
tests_unit_test_model_LDADD = $(model_libs)
tests_unit_test_plugin_SOURCES = tests/unit/test_plugin.c tests/tap.h
tests_unit_test_plugin_CFLAGS = $(pie_cflags)
tests_unit_test_plugin_LDFLAGS = $(pie_ldflags)
tests_unit_test_plugin_LDADD = $(model_libs)
tests_unit_test_range_SOURCES = tests/unit/test_range.c tests/tap.h
tests_unit_test_range_CFLAGS = $(pie_cflags)
tests_unit_test_range_LDFLAGS = $(pie_ldflags)
tests_unit_test_range_LDADD = $(model_libs)
tests_unit_test_verdict_SOURCES = tests/unit/test_verdict.c tests/tap.h
tests_unit_test_verdict_CFLAGS = $(pie_cflags)
tests_unit_test_verdict_LDFLAGS = $(pie_ldflags)
tests_unit_test_verdict_LDADD = $(model_libs)
