# SPDX-License-Identifier: GPL-3.0-or-later
# etc: example configuration, the systemd unit, and the manual page of the configuration
exampledir = $(docdir)/examples
dist_example_DATA = etc/belfry.conf etc/host.conf etc/drill.conf
exampleconfdir = $(exampledir)/conf.d
dist_exampleconf_DATA = \
	etc/conf.d/backup.conf \
	etc/conf.d/cloudflare.conf \
	etc/conf.d/docker.conf \
	etc/conf.d/drill.conf \
	etc/conf.d/host.conf \
	etc/conf.d/mail.conf \
	etc/conf.d/mariadb.conf \
	etc/conf.d/nagios.conf \
	etc/conf.d/paymenter.conf \
	etc/conf.d/pterodactyl.conf \
	etc/conf.d/recovery.conf \
	etc/conf.d/redis.conf \
	etc/conf.d/ssl.conf \
	etc/conf.d/web.conf

systemdsystemunit_DATA = etc/belfry.service
EXTRA_DIST += etc/belfry.service.in
CLEANFILES += etc/belfry.service
etc/belfry.service: etc/belfry.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(SED) -e 's,@sbindir[@],$(sbindir),g' -e 's,@bindir[@],$(bindir),g' \
	  -e 's,@libexecdir[@],$(libexecdir),g' -e 's,@libdir[@],$(libdir),g' -e 's,@sysconfdir[@],$(sysconfdir),g' \
	  -e 's,@docdir[@],$(docdir),g' \
	  $(top_srcdir)/etc/belfry.service.in >$@.tmp && mv $@.tmp $@

dist_man_MANS += doc/belfry.conf.5

system_tests += tests/system/examples.test tests/system/unit.test
