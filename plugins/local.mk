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
	plugins/common/hashed.c plugins/common/hashed.h \
	plugins/common/names.h \
	plugins/common/now.h \
	plugins/common/net.c plugins/common/net.h \
	plugins/common/stream.c plugins/common/stream.h \
	plugins/common/say.c plugins/common/say.h \
	plugins/common/zone.c plugins/common/zone.h
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

# HTTP: built when a plugin asks for it. libtransfer drives libcurl; libweb is a client for APIs in JSON on top of it
EXTRA_LTLIBRARIES = plugins/common/libtransfer.la plugins/common/libweb.la
plugins_common_libtransfer_la_SOURCES = \
	plugins/common/aim.c \
	plugins/common/pump.c \
	plugins/common/transfer.c plugins/common/transfer.h
plugins_common_libtransfer_la_CFLAGS = $(plugin_cflags) $(CURL_CFLAGS)
plugins_common_libtransfer_la_LIBADD = $(CURL_LIBS) -lm
plugins_common_libweb_la_SOURCES = \
	plugins/common/tree.c plugins/common/tree.h \
	plugins/common/web.c plugins/common/web.h \
	plugins/common/web-refused.c
plugins_common_libweb_la_CFLAGS = $(plugin_cflags) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
plugins_common_libweb_la_LIBADD = plugins/common/libtransfer.la $(JANSSON_LIBS)

# SQL: without libmariadb it only says so
EXTRA_LTLIBRARIES += plugins/common/libsql.la
plugins_common_libsql_la_SOURCES = plugins/common/sql.h plugins/common/sql-text.c
if HAVE_MARIADB
plugins_common_libsql_la_SOURCES += \
	plugins/common/sql-ask.c \
	plugins/common/sql-failure.c \
	plugins/common/sql-greet.c \
	plugins/common/sql-link.c \
	plugins/common/sql-steps.h
else
plugins_common_libsql_la_SOURCES += plugins/common/sql-none.c
endif
plugins_common_libsql_la_CFLAGS = $(plugin_cflags) $(MARIADB_CFLAGS) $(PTHREAD_CFLAGS)
plugins_common_libsql_la_LIBADD = $(MARIADB_LIBS) $(PTHREAD_LIBS) -lm

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
	plugins/http/verdict.c
plugins_http_la_CFLAGS = $(plugin_cflags) $(CURL_CFLAGS)
plugins_http_la_LDFLAGS = $(plugin_ldflags)
plugins_http_la_LIBADD = plugins/common/libtransfer.la plugins/common/libcommon.la -lm

if PLUGIN_DOCKER
plugin_LTLIBRARIES += plugins/docker.la
endif
plugins_docker_la_SOURCES = \
	plugins/docker/docker.c plugins/docker/docker.h \
	plugins/docker/engine.c \
	plugins/docker/findings.c \
	plugins/docker/greet.c \
	plugins/docker/history.c \
	plugins/docker/judge.c \
	plugins/docker/record.c \
	plugins/docker/usage.c
plugins_docker_la_CFLAGS = $(plugin_cflags) $(JANSSON_CFLAGS)
plugins_docker_la_LDFLAGS = $(plugin_ldflags)
plugins_docker_la_LIBADD = plugins/common/libweb.la plugins/common/libcommon.la -lm

if PLUGIN_CLOUDFLARE
plugin_LTLIBRARIES += plugins/cloudflare.la
endif
plugins_cloudflare_la_SOURCES = \
	plugins/cloudflare/cloudflare.c plugins/cloudflare/cloudflare.h \
	plugins/cloudflare/access.c \
	plugins/cloudflare/account.c \
	plugins/cloudflare/api.c \
	plugins/cloudflare/certificates.c \
	plugins/cloudflare/extras.c \
	plugins/cloudflare/memory.c \
	plugins/cloudflare/origin.c \
	plugins/cloudflare/records.c \
	plugins/cloudflare/report.c \
	plugins/cloudflare/rules.c \
	plugins/cloudflare/token.c \
	plugins/cloudflare/zones.c
plugins_cloudflare_la_CFLAGS = $(plugin_cflags) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
plugins_cloudflare_la_LDFLAGS = $(plugin_ldflags)
plugins_cloudflare_la_LIBADD = plugins/common/libweb.la plugins/common/libcommon.la -lm

if PLUGIN_TCP
plugin_LTLIBRARIES += plugins/tcp.la
endif
plugins_tcp_la_SOURCES = plugins/tcp.c
plugins_tcp_la_CFLAGS = $(plugin_cflags)
plugins_tcp_la_LDFLAGS = $(plugin_ldflags)
plugins_tcp_la_LIBADD = plugins/common/libcommon.la

if PLUGIN_PTERODACTYL
plugin_LTLIBRARIES += plugins/pterodactyl.la
endif
plugins_pterodactyl_la_SOURCES = \
	plugins/pterodactyl/pterodactyl.c plugins/pterodactyl/pterodactyl.h \
	plugins/pterodactyl/api.c \
	plugins/pterodactyl/client.c \
	plugins/pterodactyl/nodes.c \
	plugins/pterodactyl/notes.c \
	plugins/pterodactyl/servers.c \
	plugins/pterodactyl/sftp.c \
	plugins/pterodactyl/wings.c
plugins_pterodactyl_la_CFLAGS = $(plugin_cflags) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
plugins_pterodactyl_la_LDFLAGS = $(plugin_ldflags)
plugins_pterodactyl_la_LIBADD = plugins/common/libweb.la plugins/common/libcommon.la -lm

if PLUGIN_REDIS
plugin_LTLIBRARIES += plugins/redis.la
endif
plugins_redis_la_SOURCES = \
	plugins/redis/redis.c plugins/redis/redis.h \
	plugins/redis/info.c \
	plugins/redis/keys.c plugins/redis/streams.c plugins/redis/slow.c \
	plugins/redis/cluster.c plugins/redis/sentinel.c \
	plugins/redis/link.c plugins/redis/refusal.c
plugins_redis_la_CFLAGS = $(plugin_cflags) $(HIREDIS_CFLAGS)
plugins_redis_la_LDFLAGS = $(plugin_ldflags)
plugins_redis_la_LIBADD = plugins/common/libtls.la plugins/common/libcommon.la $(HIREDIS_LIBS) -lm

if PLUGIN_SSL
plugin_LTLIBRARIES += plugins/ssl.la
endif
plugins_ssl_la_SOURCES = \
	plugins/ssl/ssl.c plugins/ssl/ssl.h \
	plugins/ssl/chain.c \
	plugins/ssl/crl.c \
	plugins/ssl/files.c \
	plugins/ssl/ocsp.c \
	plugins/ssl/revocation.c \
	plugins/ssl/server.c \
	plugins/ssl/staple.c \
	plugins/ssl/starttls.c
plugins_ssl_la_CFLAGS = $(plugin_cflags) $(SSL_CFLAGS) $(CURL_CFLAGS)
plugins_ssl_la_LDFLAGS = $(plugin_ldflags)
plugins_ssl_la_LIBADD = plugins/common/libtls.la plugins/common/libtransfer.la plugins/common/libcommon.la \
	$(SSL_LIBS) $(CRYPTO_LIBS) -lm

if PLUGIN_PAYMENTER
plugin_LTLIBRARIES += plugins/paymenter.la
endif
plugins_paymenter_la_SOURCES = \
	plugins/paymenter/paymenter.c plugins/paymenter/shop.h \
	plugins/paymenter/ask.c \
	plugins/paymenter/books.c plugins/paymenter/books.h \
	plugins/paymenter/money.c \
	plugins/paymenter/orders.c \
	plugins/paymenter/provision.c \
	plugins/paymenter/work.c
plugins_paymenter_la_CFLAGS = $(plugin_cflags) $(JANSSON_CFLAGS)
plugins_paymenter_la_LDFLAGS = $(plugin_ldflags)
plugins_paymenter_la_LIBADD = plugins/common/libweb.la plugins/common/libsql.la plugins/common/libcommon.la \
	$(JANSSON_LIBS) -lm

if PLUGIN_MARIADB
plugin_LTLIBRARIES += plugins/mariadb.la
endif
plugins_mariadb_la_SOURCES = \
	plugins/mariadb/mariadb.c plugins/mariadb/mariadb.h \
	plugins/mariadb/galera.c \
	plugins/mariadb/queries.c \
	plugins/mariadb/replica.c \
	plugins/mariadb/report.c \
	plugins/mariadb/status.c \
	plugins/mariadb/threads.c
plugins_mariadb_la_CFLAGS = $(plugin_cflags)
plugins_mariadb_la_LDFLAGS = $(plugin_ldflags)
plugins_mariadb_la_LIBADD = plugins/common/libsql.la plugins/common/libcommon.la -lm

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

plugin_LTLIBRARIES += plugins/drill.la
plugins_drill_la_SOURCES = plugins/drill.c
plugins_drill_la_CFLAGS = $(plugin_cflags) $(JANSSON_CFLAGS)
plugins_drill_la_LDFLAGS = $(plugin_ldflags)
plugins_drill_la_LIBADD = $(JANSSON_LIBS)

# one code, two plugins: backup-restore starts nothing, backup-tools may
if PLUGIN_BACKUP_RESTORE
plugin_LTLIBRARIES += plugins/backup-restore.la plugins/backup-tools.la
endif
EXTRA_LTLIBRARIES += plugins/backup-restore/libbackup.la
backup_cflags = $(plugin_cflags) $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS) $(ZLIB_CFLAGS) $(LZMA_CFLAGS) $(ZSTD_CFLAGS)
plugins_backup_restore_libbackup_la_SOURCES = \
	plugins/backup-restore/backup.c plugins/backup-restore/backup.h \
	plugins/backup-restore/asked.c \
	plugins/backup-restore/content.c plugins/backup-restore/content.h \
	plugins/backup-restore/content-crypt.c \
	plugins/backup-restore/content-pg.c \
	plugins/backup-restore/content-redis.c \
	plugins/backup-restore/content-tar.c \
	plugins/backup-restore/folder.c \
	plugins/backup-restore/manifest.c \
	plugins/backup-restore/place.c \
	plugins/backup-restore/disks.c \
	plugins/backup-restore/proof.c \
	plugins/backup-restore/remote.c \
	plugins/backup-restore/repo.c \
	plugins/backup-restore/retain.c \
	plugins/backup-restore/tree.c \
	plugins/backup-restore/unpack.c plugins/backup-restore/unpack.h \
	plugins/exec/child.c plugins/exec/exec.h
plugins_backup_restore_libbackup_la_CFLAGS = $(backup_cflags)
plugins_backup_restore_libbackup_la_LIBADD = plugins/common/libweb.la $(JANSSON_LIBS) $(CRYPTO_LIBS) \
	$(ZLIB_LIBS) $(LZMA_LIBS) $(ZSTD_LIBS)
plugins_backup_restore_la_SOURCES = plugins/backup-restore/plugin-restore.c
plugins_backup_restore_la_CFLAGS = $(backup_cflags)
plugins_backup_restore_la_LDFLAGS = $(plugin_ldflags)
plugins_backup_restore_la_LIBADD = plugins/backup-restore/libbackup.la plugins/common/libcommon.la -lm
plugins_backup_tools_la_SOURCES = plugins/backup-restore/plugin-tools.c
plugins_backup_tools_la_CFLAGS = $(backup_cflags)
plugins_backup_tools_la_LDFLAGS = $(plugin_ldflags)
plugins_backup_tools_la_LIBADD = plugins/backup-restore/libbackup.la plugins/common/libcommon.la -lm

if PLUGIN_FILE_AGE
plugin_LTLIBRARIES += plugins/file-age.la
endif
plugins_file_age_la_SOURCES = plugins/file-age.c
plugins_file_age_la_CFLAGS = $(plugin_cflags)
plugins_file_age_la_LDFLAGS = $(plugin_ldflags)

plugin_tests = \
	tests/system/backup-red.test \
	tests/system/plugin-api.test \
	tests/system/plugin-backup-restore.test \
	tests/system/plugin-backup-tools.test \
	tests/system/plugin-cloudflare.test \
	tests/system/plugin-docker.test \
	tests/system/plugin-docker-engine.test \
	tests/system/plugin-exec.test \
	tests/system/plugin-family.test \
	tests/system/plugin-host.test \
	tests/system/plugin-http.test \
	tests/system/plugin-paymenter.test \
	tests/system/plugin-paymenter-sql.test \
	tests/system/plugin-pterodactyl.test \
	tests/system/plugin-mariadb.test \
	tests/system/plugin-redis.test \
	tests/system/plugin-redis-family.test \
	tests/system/plugin-redis-keys.test \
	tests/system/plugin-ssl-revocation.test \
	tests/system/plugin-ssl.test \
	tests/system/plugin-tcp.test
system_tests += $(plugin_tests)
pluginsdocdir = $(docdir)/plugins
dist_pluginsdoc_DATA = \
	doc/plugins/backup-restore.md \
	doc/plugins/cloudflare.md \
	doc/plugins/docker.md \
	doc/plugins/host.md \
	doc/plugins/mariadb.md \
	doc/plugins/paymenter.md \
	doc/plugins/pterodactyl.md \
	doc/plugins/redis.md \
	doc/plugins/ssl.md
EXTRA_DIST += \
	doc/adr/0030-mariadb-tls-aside.md \
	tests/peers/cloudflare.py \
	tests/peers/docker.py \
	tests/peers/standin.py \
	tests/peers/docker/README.md \
	tests/peers/docker/engine20/df.json \
	tests/peers/docker/engine20/events.json \
	tests/peers/docker/engine20/headers.json \
	tests/peers/docker/engine20/info.json \
	tests/peers/docker/engine20/inspect-job.json \
	tests/peers/docker/engine20/inspect-web.json \
	tests/peers/docker/engine20/list.json \
	tests/peers/docker/engine20/stats-web.json \
	tests/peers/docker/engine20/version.json \
	tests/peers/docker/engine29/df.json \
	tests/peers/docker/engine29/events.json \
	tests/peers/docker/engine29/headers.json \
	tests/peers/docker/engine29/info.json \
	tests/peers/docker/engine29/inspect-job.json \
	tests/peers/docker/engine29/inspect-web.json \
	tests/peers/docker/engine29/list.json \
	tests/peers/docker/engine29/stats-web.json \
	tests/peers/docker/engine29/version.json \
	tests/peers/docker/podman58/df.json \
	tests/peers/docker/podman58/events.json \
	tests/peers/docker/podman58/headers.json \
	tests/peers/docker/podman58/info.json \
	tests/peers/docker/podman58/inspect-going.json \
	tests/peers/docker/podman58/inspect-job.json \
	tests/peers/docker/podman58/inspect-web.json \
	tests/peers/docker/podman58/list.json \
	tests/peers/docker/podman58/stats-going.json \
	tests/peers/docker/podman58/stats-web.json \
	tests/peers/docker/podman58/version.json \
	tests/peers/mysqld.py \
	tests/peers/paymenter.py \
	tests/peers/paymenter.sql \
	tests/peers/pterodactyl.py \
	tests/plugins/api.py \
	tests/plugins/certs.sh \
	tests/plugins/lib.sh \
	tests/plugins/mariadbd.sh \
	tests/plugins/peer.py \
	tests/plugins/redis.sh \
	tests/plugins/revocation.py \
	tests/plugins/revocation.sh \
	tests/plugins/starttls.py \
	tests/plugins/tls-matrix.sh

# built on demand, which automake does not clean up after
CLEANFILES += $(EXTRA_LTLIBRARIES)

unit_tests += tests/unit/test_zone
tests_unit_test_zone_SOURCES = tests/unit/test_zone.c tests/tap.h
tests_unit_test_zone_CFLAGS = $(pie_cflags) -D_GNU_SOURCE
tests_unit_test_zone_LDFLAGS = $(pie_ldflags)
tests_unit_test_zone_LDADD = plugins/common/libcommon.la

unit_tests += tests/unit/test_retain
tests_unit_test_retain_SOURCES = tests/unit/test_retain.c plugins/backup-restore/retain.c tests/tap.h
tests_unit_test_retain_CFLAGS = $(pie_cflags) -D_GNU_SOURCE
tests_unit_test_retain_LDFLAGS = $(pie_ldflags)
unit_tests += tests/unit/test_disks
tests_unit_test_disks_SOURCES = tests/unit/test_disks.c plugins/backup-restore/disks.c tests/tap.h
tests_unit_test_disks_CFLAGS = $(pie_cflags) -D_GNU_SOURCE
tests_unit_test_disks_LDFLAGS = $(pie_ldflags)

# the plugins' tests run them in a host of a few lines, one process a run
check_PROGRAMS += tests/plugins/drive
tests_plugins_drive_SOURCES = tests/plugins/drive.c
tests_plugins_drive_CFLAGS = $(pie_cflags) $(PTHREAD_CFLAGS) -D_GNU_SOURCE
tests_plugins_drive_LDFLAGS = $(pie_ldflags)
tests_plugins_drive_LDADD = $(sandbox_libs) $(DL_LIBS) $(PTHREAD_LIBS)

# what the plugins for APIs share, as a plugin that says what it sees
if PLUGIN_HTTP
check_LTLIBRARIES += tests/plugins/api.la
endif
tests_plugins_api_la_SOURCES = tests/plugins/api.c
tests_plugins_api_la_CFLAGS = $(plugin_cflags) $(JANSSON_CFLAGS)
# -rpath makes libtool build a shared object of what is not installed
tests_plugins_api_la_LDFLAGS = $(plugin_ldflags) -rpath /nowhere
tests_plugins_api_la_LIBADD = plugins/common/libweb.la plugins/common/libcommon.la -lm
