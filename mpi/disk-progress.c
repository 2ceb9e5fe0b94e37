/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/disk-progress.h"

#include "cli/progress.h"
#include "common/clock.h"

/* The last block may be short. */
static void get(const struct disk *d, struct engine_progress *done)
{
    uint64_t size = d->cut.size;
    uint64_t bytes = d->done * d->cut.block_size;

    *done = (struct engine_progress){
        .done = bytes < size ? bytes : size,
        .size = size,
        .unread = d->unread * d->cut.block_size,
    };
}

void disk_progress_show(struct disk_progress *p, const struct options *o,
                        const struct disk *d)
{
    int64_t now = clock_ms();

    if (!d || !d->c.input.image)
        return;
    get(d, &p->done);
    if (!p->shown || p->index != d->index) {
        progress_begin(d->c.name,
                       d->is_compared ? 0 : image_allocated(d->c.input.image),
                       &o->progress);
        p->shown = true;
        p->index = d->index;
        p->drawn = now;
    }
    if (progress_interval() < 0 || now - p->drawn < progress_interval())
        return;
    progress_update(&p->done);
    p->drawn = now;
}

void disk_progress_end(struct disk_progress *p, uint64_t index, bool done)
{
    if (!p->shown || p->index != index)
        return;
    if (done) {
        p->done.unread += p->done.size - p->done.done;
        p->done.done = p->done.size;
    }
    progress_end(&p->done, done);
    p->shown = false;
}
