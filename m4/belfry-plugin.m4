# SPDX-License-Identifier: GPL-3.0-or-later
# BELFRY_PLUGIN_OPTION(NAME, AVAILABLE, [LIBRARY])
# Makes --disable-NAME-plugin, the automake conditional PLUGIN_NAME, and a line of the table at the end of configure.
# A plugin whose library is missing is left out, unless --enable-NAME-plugin asked for it.
AC_DEFUN([BELFRY_PLUGIN_OPTION], [
  m4_pushdef([UP], m4_translit([$1], [a-z-], [A-Z_]))
  AC_ARG_ENABLE([$1-plugin], [AS_HELP_STRING([--disable-$1-plugin], [leave the $1 plugin out])],
    [belfry_want=$enableval], [belfry_want=auto])
  AS_IF([test "$belfry_want" = no], [belfry_build=no belfry_note="switched off"],
    [test "$2" = yes], [belfry_build=yes belfry_note=""],
    [test "$belfry_want" != auto], [AC_MSG_ERROR([the $1 plugin needs m4_default([$3], [a library]), which was not found])],
    [belfry_build=no belfry_note="m4_default([$3], [a library]) was not found"])
  AM_CONDITIONAL([PLUGIN_]UP, [test "$belfry_build" = yes])
  belfry_plugin_table="$belfry_plugin_table
      m4_format([[%-13s]], [$1]) $belfry_build${belfry_note:+  ($belfry_note)}"
  m4_popdef([UP])
])
