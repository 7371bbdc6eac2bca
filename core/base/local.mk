# SPDX-License-Identifier: GPL-3.0-or-later
# base: strings, buffers, durations, clocks, logging, frames; knows nothing of monitoring
noinst_LIBRARIES += core/base/libbase.a
core_base_libbase_a_SOURCES = \
	core/base/arena.c core/base/arena.h \
	core/base/buf.c core/base/buf.h \
	core/base/channel.c core/base/channel.h \
	core/base/clock.c core/base/clock.h \
	core/base/digest.c core/base/digest.h core/base/digest_random.c \
	core/base/error.c core/base/error.h \
	core/base/file.c core/base/file.h \
	core/base/log.c core/base/log.h \
	core/base/map.c core/base/map.h \
	core/base/spawn.c core/base/spawn.h \
	core/base/text.c core/base/text.h core/base/text_format.c \
	core/base/utf8.c core/base/utf8.h \
	core/base/wire.c core/base/wire.h
core_base_libbase_a_CFLAGS = $(pie_cflags) $(CRYPTO_CFLAGS)
# what a program that uses the room links
base_libs = core/base/libbase.a $(CRYPTO_LIBS) -lm

unit_tests += tests/unit/test_base tests/unit/test_file tests/unit/test_spawn tests/unit/test_text tests/unit/test_wire
tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/tap.h
tests_unit_test_base_CFLAGS = $(pie_cflags) $(JANSSON_CFLAGS)
tests_unit_test_base_LDFLAGS = $(pie_ldflags)
tests_unit_test_base_LDADD = $(base_libs) $(JANSSON_LIBS)
tests_unit_test_file_SOURCES = tests/unit/test_file.c tests/tap.h
tests_unit_test_file_CFLAGS = $(pie_cflags)
tests_unit_test_file_LDFLAGS = $(pie_ldflags)
tests_unit_test_file_LDADD = $(base_libs)
tests_unit_test_spawn_SOURCES = tests/unit/test_spawn.c tests/tap.h
tests_unit_test_spawn_CFLAGS = $(pie_cflags)
tests_unit_test_spawn_LDFLAGS = $(pie_ldflags)
tests_unit_test_spawn_LDADD = $(base_libs)
tests_unit_test_text_SOURCES = tests/unit/test_text.c tests/tap.h
tests_unit_test_text_CFLAGS = $(pie_cflags)
tests_unit_test_text_LDFLAGS = $(pie_ldflags)
tests_unit_test_text_LDADD = $(base_libs)
tests_unit_test_wire_SOURCES = tests/unit/test_wire.c tests/tap.h
tests_unit_test_wire_CFLAGS = $(pie_cflags)
tests_unit_test_wire_LDFLAGS = $(pie_ldflags)
tests_unit_test_wire_LDADD = $(base_libs)
