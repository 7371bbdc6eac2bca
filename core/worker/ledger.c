/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger - the worker's side of the shared memory. */
#include "core/worker/ledger.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct ledger *open_private(void)
{
    struct ledger *ledger =
        mmap(NULL, ledger_bytes(LEDGER_SLOTS_MAX), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ledger == MAP_FAILED)
        return NULL;
    ledger->magic = LEDGER_MAGIC;
    ledger->slot_count = LEDGER_SLOTS_MAX;
    return ledger;
}

struct ledger *ledger_open(void)
{
    struct stat st;
    if (fstat(LEDGER_FD, &st) != 0)
        return open_private();
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)ledger_bytes(1) ||
        st.st_size > (off_t)ledger_bytes(LEDGER_SLOTS_MAX))
        return NULL;
    struct ledger *ledger = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, LEDGER_FD, 0);
    if (ledger == MAP_FAILED)
        return NULL;
    close(LEDGER_FD);
    if (ledger->magic == LEDGER_MAGIC && ledger->slot_count >= 1 && ledger->slot_count <= LEDGER_SLOTS_MAX &&
        ledger_bytes(ledger->slot_count) <= (size_t)st.st_size)
        return ledger;
    munmap(ledger, (size_t)st.st_size);
    return NULL;
}

void ledger_enter(struct ledger *ledger, uint32_t slot, uint64_t run, int64_t now_ms)
{
    atomic_store_explicit(&ledger->slots[slot].since_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&ledger->slots[slot].run, run, memory_order_release);
}

void ledger_leave(struct ledger *ledger, uint32_t slot)
{
    atomic_store_explicit(&ledger->slots[slot].run, 0, memory_order_release);
}

void ledger_blame_thread(struct ledger *ledger)
{
    uint32_t self = (uint32_t)syscall(SYS_gettid), culprit = LEDGER_OTHER;
    for (uint32_t i = 0; i < ledger->slot_count; i++) {
        if (atomic_load(&ledger->slots[i].thread) == self && atomic_load(&ledger->slots[i].run) != 0)
            culprit = i + 1;
    }
    uint32_t nobody = 0; /* the first word counts: abort() in an exit handler does not change who called exit() */
    atomic_compare_exchange_strong(&ledger->culprit, &nobody, culprit);
}
