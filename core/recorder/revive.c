/* SPDX-License-Identifier: GPL-3.0-or-later */
/* revive - what a recorder does for the files of its predecessor that crashed or was killed. */
#include "core/recorder/revive.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/recorder/ledger.h"

static bool is_ours(const char *folder, const char *path)
{
    size_t n = strlen(folder), length = strlen(path);
    return strncmp(path, folder, n) == 0 && path[n] == '/' && !strstr(path, "/../") && length > n + 4 &&
           strcmp(path + length - 4, ".rrd") == 0;
}

/* Moves the file aside that an earlier recorder crashed over; undoes what one did that was killed. */
void revive_files(struct track_room *room, const struct wal *wal)
{
    int number = 0, code;
    struct why why = { "" };
    char aside[LEDGER_PATH_SIZE + 64], text[LEDGER_PATH_SIZE + 1024];
    const char *culprit = ledger_culprit(room->ledger, &number);
    if (culprit && is_ours(room->folder, culprit)) {
        const char *name = sigabbrev_np(number);
        code = track_set_aside(culprit, clock_wall_ms() / 1000, aside, sizeof(aside), &why);
        room->counts.aside += code == 0;
        snprintf(text, sizeof(text), "it crashed the recorder (SIG%s); %s%s", name ? name : "?",
                 code == 0 ? "moved aside as " : why.text, code == 0 ? aside : "");
        room->moved(room->context, culprit, text);
    }
    const char *undone = ledger_undo(room->ledger);
    if (undone)
        log_info("recorder", "'%s': an update that was interrupted is undone, and made again", undone);
    if (culprit)
        ledger_acquit(room->ledger);
    if (ledger_crashes(room->ledger) > LEDGER_CRASHES_MAX && wal_set_aside(wal, clock_wall_ms() / 1000) == 0)
        room->report(room->context, LOG_LEVEL_ERROR, 0,
                     "what waited to be written crashed the recorder several times: moved aside as "
                     "'" WAL_NAME ".bad-...'");
}
