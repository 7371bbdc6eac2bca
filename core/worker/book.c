/* SPDX-License-Identifier: GPL-3.0-or-later */
/* book - the worker's side of the shared memory. */
#include "core/worker/book.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/error.h"

void book_take_slot(struct book *book, uint32_t slot)
{
    atomic_store(&book->threads[slot], (uint32_t)syscall(SYS_gettid));
}

int book_open(struct book *book)
{
    struct stat st;
    bool given = fstat(LEDGER_FD, &st) == 0;
    if (given && (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct ledger)))
        return ERROR_PROTOCOL;
    struct ledger *ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE,
                                 given ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, given ? LEDGER_FD : -1, 0);
    if (ledger == MAP_FAILED)
        return ERROR_PROTOCOL;
    book->ledger = ledger;
    book->process = getpid();
    book_take_slot(book, 0);
    if (!given)
        return 0;
    close(LEDGER_FD);
    return ledger->magic == LEDGER_MAGIC && ledger->size == sizeof(*ledger) ? 0 : ERROR_PROTOCOL;
}

void book_enter(struct book *book, uint32_t slot, uint64_t run, int64_t now_ms)
{
    struct ledger_slot *at = &book->ledger->slots[slot];
    atomic_store_explicit(&at->since_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&at->run, run, memory_order_release);
}

void book_leave(struct book *book, uint32_t slot)
{
    atomic_store_explicit(&book->ledger->slots[slot].run, 0, memory_order_release);
}

/* The first word counts: abort() in an exit handler does not change who called exit(). */
static void note(struct book *book, uint64_t culprit)
{
    uint64_t none = 0;
    if (getpid() == book->process)
        atomic_compare_exchange_strong(&book->ledger->crashed, &none, culprit);
}

void book_blame_thread(struct book *book)
{
    uint32_t self = (uint32_t)syscall(SYS_gettid);
    for (uint32_t i = 0; i < LEDGER_SLOTS; i++) {
        uint64_t run = atomic_load(&book->ledger->slots[i].run);
        if (run != 0 && atomic_load(&book->threads[i]) == self)
            note(book, run);
    }
}

void book_blame_nobody(struct book *book)
{
    note(book, BOOK_NOBODY);
}

void book_note_forbidden(struct book *book, int call)
{
    if (getpid() == book->process)
        atomic_store(&book->ledger->forbidden, (uint64_t)(unsigned)call + 1);
}
