# SPDX-License-Identifier: GPL-3.0-or-later
# schedule: when a check runs and what its results mean; pure
noinst_LIBRARIES += core/schedule/libschedule.a
core_schedule_libschedule_a_SOURCES = \
	core/schedule/breaker.c core/schedule/breaker.h \
	core/schedule/judge.c core/schedule/judge.h \
	core/schedule/schedule.c core/schedule/schedule.h core/schedule/schedule_private.h \
	core/schedule/schedule_circuit.c \
	core/schedule/schedule_configure.c \
	core/schedule/schedule_judge.c \
	core/schedule/schedule_state.c \
	core/schedule/schedule_table.c \
	core/schedule/timers.c core/schedule/timers.h
core_schedule_libschedule_a_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
schedule_libs = core/schedule/libschedule.a $(model_libs)

unit_tests += tests/unit/test_breaker
tests_unit_test_breaker_SOURCES = tests/unit/test_breaker.c tests/tap.h
tests_unit_test_breaker_CFLAGS = $(pie_cflags)
tests_unit_test_breaker_LDFLAGS = $(pie_ldflags)
tests_unit_test_breaker_LDADD = $(schedule_libs)

unit_tests += tests/unit/test_judge
tests_unit_test_judge_SOURCES = tests/unit/test_judge.c tests/tap.h
tests_unit_test_judge_CFLAGS = $(pie_cflags)
tests_unit_test_judge_LDFLAGS = $(pie_ldflags)
tests_unit_test_judge_LDADD = $(schedule_libs)

unit_tests += tests/unit/test_schedule
tests_unit_test_schedule_SOURCES = tests/unit/test_schedule.c tests/unit/stage.h tests/tap.h
tests_unit_test_schedule_CFLAGS = $(pie_cflags)
tests_unit_test_schedule_LDFLAGS = $(pie_ldflags)
tests_unit_test_schedule_LDADD = $(schedule_libs)

# days in seconds, with all that goes wrong in them; more: tests/sim/sim --seeds 10000 --hours 720
unit_tests += tests/sim/sim
tests_sim_sim_SOURCES = tests/sim/sim.c tests/sim/compare.c tests/sim/compare.h \
	tests/sim/observer.c tests/sim/observer.h tests/sim/world.c tests/sim/world.h tests/tap.h
tests_sim_sim_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_sim_sim_LDFLAGS = $(pie_ldflags)
tests_sim_sim_LDADD = $(schedule_libs)

unit_tests += tests/unit/test_schedule_state
tests_unit_test_schedule_state_SOURCES = tests/unit/test_schedule_state.c tests/unit/stage.h tests/tap.h
tests_unit_test_schedule_state_CFLAGS = $(pie_cflags)
tests_unit_test_schedule_state_LDFLAGS = $(pie_ldflags)
tests_unit_test_schedule_state_LDADD = $(schedule_libs)
