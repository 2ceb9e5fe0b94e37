/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/window.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/signals.h"

/* Large, because moving the window interrupts every CPU that runs a thread of
 * this process; but small enough not to look like much memory. */
#define WINDOW_SIZE (32 << 20)

/* The windows of this thread that map something, for the handler. */
static __thread struct window *windows;

static size_t page_size;
static bool handler_installed;

/* The window that an address is in. */
static struct window *find(uintptr_t address)
{
    struct window *w = windows;

    while (w && (address < (uintptr_t)w->base ||
                 address >= (uintptr_t)w->base + w->length))
        w = w->next;
    return w;
}

/* Put zeros in the place of a page that is gone. POSIX does not list mmap() as
 * async-signal-safe, but on Linux it is a plain system call, and this signal is
 * caused by the thread's own access to the page. */
static bool replace_page(uintptr_t address)
{
    void *page = (void *)(address / page_size * page_size);
    struct window *w = find(address);

    if (!w)
        return false;
    w->failed = 1;
    return mmap(page, page_size, PROT_READ,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page;
}

static void handle_sigbus(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    (void)context;
    if (signal_was_sent(info))
        signal_end_by(number);
    else if (info->si_code == BUS_MCEERR_AO)
        ; /* memory that was not accessed failed; an access sends a SIGBUS */
    else if (!replace_page((uintptr_t)info->si_addr))
        /* Not in a window: the default action, when the instruction is tried
         * again. */
        (void)sigaction(number, &(struct sigaction){ .sa_handler = SIG_DFL },
                        NULL);
    errno = saved_errno;
}

static void install_handler(void)
{
    struct sigaction action = {
        .sa_sigaction = handle_sigbus,
        .sa_flags = SA_SIGINFO,
    };

    page_size = sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    handler_installed = sigaction(SIGBUS, &action, NULL) == 0;
}

static bool covers(const struct window *w, const struct reader *reader,
                   uint64_t offset, size_t len)
{
    return w->base && w->reader == reader && offset >= w->offset &&
           offset - w->offset < w->length &&
           len <= w->length - (offset - w->offset);
}

/* Map a window around len bytes at offset. */
static bool move(struct window *w, const struct reader *reader, int fd,
                 uint64_t offset, size_t len)
{
    uint64_t start = offset / WINDOW_SIZE * WINDOW_SIZE;
    /* Bytes that begin in the window end in it. */
    size_t length = WINDOW_SIZE + len;
    void *base;

    window_close(w);
    base = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, start);
    if (base == MAP_FAILED)
        return false;
    w->reader = reader;
    w->base = base;
    w->offset = start;
    w->length = length;
    w->next = windows;
    windows = w;
    return true;
}

const unsigned char *window_get(struct window *w, const struct reader *reader,
                                int fd, uint64_t offset, size_t len, bool keep)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install_handler);
    if (!handler_installed)
        return NULL;
    if (!covers(w, reader, offset, len) &&
        (keep || !move(w, reader, fd, offset, len)))
        return NULL;
    return w->base + (offset - w->offset);
}

bool window_failed(struct window *w)
{
    bool failed = w->failed;

    w->failed = 0;
    if (failed)
        window_close(w); /* it has pages of zeros in place of the file's */
    return failed;
}

void window_close(struct window *w)
{
    struct window **link = &windows;

    /* Where its thread has ended, it is in no list any more. */
    while (*link && *link != w)
        link = &(*link)->next;
    if (*link)
        *link = w->next;
    if (w->base)
        munmap(w->base, w->length);
    w->base = NULL;
    w->reader = NULL;
}
