/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/updates.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int updates_init(struct updates *u, unsigned max)
{
    *u = (struct updates){
        .max = max,
        .all = calloc(max, sizeof(struct update)),
        .free = calloc(max, sizeof(struct update *)),
        .completions = calloc(max, sizeof(struct blkhash_completion)),
        .fd = -1,
    };
    if (!u->all || !u->free || !u->completions)
        return ENOMEM;
    for (unsigned i = 0; i < max; i++)
        u->free[u->free_count++] = &u->all[i];
    return 0;
}

void updates_destroy(struct updates *u)
{
    if (u->fd >= 0)
        close(u->fd);
    free(u->all);
    free(u->free);
    free(u->completions);
}

struct update *updates_begin(struct updates *u, void *user_data)
{
    struct update *update;

    /* A completion that is not fetched counts as an update. */
    assert(u->free_count >= u->count);
    if (u->free_count == u->count)
        return NULL;
    update = u->free[--u->free_count];
    *update = (struct update){
        .asynchronous = true,
        .user_data = user_data,
    };
    return update;
}

void updates_complete(struct updates *u, struct update *update, int error)
{
    unsigned last = (u->first + u->count) % u->max;

    assert(update->asynchronous && update->pieces == 0);
    assert(u->count < u->max && u->free_count < u->max);
    u->completions[last] = (struct blkhash_completion){
        .user_data = update->user_data,
        .error = error,
    };
    u->count++;
    u->free[u->free_count++] = update;
    if (u->fd >= 0)
        eventfd_write(u->fd, 1);
}

int updates_fd(struct updates *u, int *fd)
{
    if (u->fd < 0)
        u->fd = eventfd(u->count, EFD_CLOEXEC | EFD_NONBLOCK);
    *fd = u->fd;
    return u->fd < 0 ? errno : 0;
}

unsigned updates_fetch(struct updates *u, struct blkhash_completion *out,
                       unsigned max)
{
    unsigned count = 0;

    while (count < max && u->count > 0) {
        out[count++] = u->completions[u->first];
        u->first = (u->first + 1) % u->max;
        u->count--;
    }
    /* The descriptor is readable while there are more. */
    if (u->fd >= 0 && u->count == 0) {
        eventfd_t ignored;

        eventfd_read(u->fd, &ignored);
    }
    return count;
}
