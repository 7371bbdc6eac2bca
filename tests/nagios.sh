# SPDX-License-Identifier: GPL-3.0-or-later
# nagios.sh - a Nagios Core 4 in a scratch folder: no root folders, no web, a check a second. Sourced after lib.sh.

nagios_command() { printf 'define command {\ncommand_name %s\ncommand_line %s\n}\n' "$1" "$2"; }
nagios_service() { # NAME COMMAND[!ARGUMENT...]
    printf 'define service {\nhost_name h\nservice_description %s\ncheck_command %s\nmax_check_attempts 2\ncheck_interval 1\nretry_interval 1\ncheck_period always\ncontacts none\n}\n' "$1" "$2"
}

# nagios_conf FOLDER: writes FOLDER/nagios.cfg; the commands and services stand on stdin.
nagios_conf() {
    mkdir -p "$1/var/spool" "$1/tmp"
    cat >"$1/nagios.cfg" <<CFG
log_file=$1/var/nagios.log
cfg_file=$1/objects.cfg
object_cache_file=$1/var/objects.cache
precached_object_file=$1/var/objects.precache
status_file=$1/var/status.dat
status_update_interval=${nagios_status_every:-10}
nagios_user=root
nagios_group=root
check_external_commands=0
command_file=$1/var/nagios.cmd
query_socket=$1/var/nagios.qh
lock_file=$1/var/nagios.pid
temp_file=$1/tmp/nagios.tmp
temp_path=$1/tmp
check_result_path=$1/var/spool
state_retention_file=$1/var/retention.dat
interval_length=1
check_for_updates=0
log_rotation_method=n
execute_host_checks=0
enable_notifications=0
max_concurrent_checks=0
CFG
    {
        cat
        printf 'define timeperiod {\ntimeperiod_name always\nalias always\n'
        printf '%s 00:00-24:00\n' sunday monday tuesday wednesday thursday friday saturday
        printf '}\ndefine contact {\ncontact_name none\nhost_notifications_enabled 0\nservice_notifications_enabled 0\nhost_notification_period always\nservice_notification_period always\nhost_notification_commands none\nservice_notification_commands none\n}\n'
        nagios_command none /bin/true
        printf 'define host {\nhost_name h\naddress 127.0.0.1\nmax_check_attempts 1\ncheck_period always\ncontacts none\nactive_checks_enabled 0\n}\n'
    } >"$1/objects.cfg"
}
