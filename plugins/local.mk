# SPDX-License-Identifier: GPL-3.0-or-later
# plugins: one shared object each; they see include/belfry/plugin.h and plugins/common, nothing of core/
plugin_cflags = $(AM_CFLAGS) -D_GNU_SOURCE -fvisibility=hidden
plugin_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared
if !SANITIZERS
# everything a plugin calls is in itself or in a library it names
plugin_ldflags += -Wl,-z,defs
endif

# what several plugins share: connecting, a waiting stream, text
noinst_LTLIBRARIES += plugins/common/libcommon.la
plugins_common_libcommon_la_SOURCES = \
	plugins/common/now.h \
	plugins/common/net.c plugins/common/net.h \
	plugins/common/stream.c plugins/common/stream.h \
	plugins/common/say.c plugins/common/say.h
plugins_common_libcommon_la_CFLAGS = $(plugin_cflags)

# TLS for streams, apart: who needs none does not link OpenSSL
if HAVE_OPENSSL
noinst_LTLIBRARIES += plugins/common/libtls.la
endif
plugins_common_libtls_la_SOURCES = \
	plugins/common/tls.c plugins/common/tls.h \
	plugins/common/trust.c
plugins_common_libtls_la_CFLAGS = $(plugin_cflags) $(SSL_CFLAGS)
plugins_common_libtls_la_LIBADD = $(SSL_LIBS) $(CRYPTO_LIBS)

if PLUGIN_HOST
plugin_LTLIBRARIES += plugins/host.la
endif
plugins_host_la_SOURCES = \
	plugins/host/host.c plugins/host/host.h \
	plugins/host/cpu.c \
	plugins/host/disks.c \
	plugins/host/memory.c \
	plugins/host/proc.c plugins/host/proc.h
plugins_host_la_CFLAGS = $(plugin_cflags)
plugins_host_la_LDFLAGS = $(plugin_ldflags)
plugins_host_la_LIBADD = plugins/common/libcommon.la -lm

if PLUGIN_HTTP
plugin_LTLIBRARIES += plugins/http.la
endif
plugins_http_la_SOURCES = \
	plugins/http/http.c plugins/http/http.h \
	plugins/http/request.c \
	plugins/http/transfer.c \
	plugins/http/verdict.c \
	plugins/http/work.h
plugins_http_la_CFLAGS = $(plugin_cflags) $(CURL_CFLAGS)
plugins_http_la_LDFLAGS = $(plugin_ldflags)
plugins_http_la_LIBADD = plugins/common/libcommon.la $(CURL_LIBS) -lm

if PLUGIN_TCP
plugin_LTLIBRARIES += plugins/tcp.la
endif
plugins_tcp_la_SOURCES = plugins/tcp.c
plugins_tcp_la_CFLAGS = $(plugin_cflags)
plugins_tcp_la_LDFLAGS = $(plugin_ldflags)
plugins_tcp_la_LIBADD = plugins/common/libcommon.la

if PLUGIN_REDIS
plugin_LTLIBRARIES += plugins/redis.la
endif
plugins_redis_la_SOURCES = \
	plugins/redis/redis.c plugins/redis/redis.h \
	plugins/redis/info.c \
	plugins/redis/link.c
plugins_redis_la_CFLAGS = $(plugin_cflags) $(HIREDIS_CFLAGS)
plugins_redis_la_LDFLAGS = $(plugin_ldflags)
plugins_redis_la_LIBADD = plugins/common/libcommon.la $(HIREDIS_LIBS) -lm

if PLUGIN_EXEC
plugin_LTLIBRARIES += plugins/exec.la
endif
plugins_exec_la_SOURCES = \
	plugins/exec/exec.c plugins/exec/exec.h \
	plugins/exec/child.c \
	plugins/exec/perfdata.c
plugins_exec_la_CFLAGS = $(plugin_cflags)
plugins_exec_la_LDFLAGS = $(plugin_ldflags)
plugins_exec_la_LIBADD = plugins/common/libcommon.la

if PLUGIN_FILE_AGE
plugin_LTLIBRARIES += plugins/file-age.la
endif
plugins_file_age_la_SOURCES = plugins/file-age.c
plugins_file_age_la_CFLAGS = $(plugin_cflags)
plugins_file_age_la_LDFLAGS = $(plugin_ldflags)

plugin_tests = \
	tests/system/plugin-exec.test \
	tests/system/plugin-family.test \
	tests/system/plugin-host.test \
	tests/system/plugin-http.test \
	tests/system/plugin-redis.test \
	tests/system/plugin-tcp.test
system_tests += $(plugin_tests)
EXTRA_DIST += \
	tests/plugins/certs.sh \
	tests/plugins/lib.sh \
	tests/plugins/peer.py

# the plugins' tests run them in a host of a few lines, one process a run
check_PROGRAMS += tests/plugins/drive
tests_plugins_drive_SOURCES = tests/plugins/drive.c
tests_plugins_drive_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS) -D_GNU_SOURCE
tests_plugins_drive_LDFLAGS = $(pie_ldflags)
tests_plugins_drive_LDADD = $(DL_LIBS) $(PTHREAD_LIBS)
