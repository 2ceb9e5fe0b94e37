/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/workload.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/estimate.h"
#include "cli/lines.h"
#include "cli/parse-sum.h"
#include "cli/progress.h"
#include "cli/series.h"
#include "common/path.h"

struct workload {
    const struct options *o;
    uint64_t count;
    uint64_t all;       /* the sum of the sizes */
    bool unknown_count; /* of the images in a list */
    bool unknown_size;  /* of an image */
};

/* Whether the active disk is hashed as a whole. */
static bool is_whole(const struct options *o, const struct sum *sum)
{
    const struct image_options *i = &o->image;
    const struct sum_part *p = sum ? &sum->part : NULL;

    return !i->snapshot && !i->member && !i->offset && !i->has_length &&
           (!p ||
            (!p->snapshot && !p->member && !p->has_offset && !p->has_length));
}

/* What the line says goes before what the options say. */
static bool hashes_holes(const struct options *o, const struct sum *sum)
{
    if (sum && (sum->plain || sum->blocks))
        return sum->plain;
    return engine_hashes_holes(&o->engine);
}

/* The size of an image as far as the file system tells, without a look into the
 * image. False: not known. */
static bool size_of(const struct options *o, const char *name,
                    const struct sum *sum, uint64_t *size)
{
    const char *path = o->image.image_opts ? NULL : path_of_name(name);
    uint64_t allocated, hole = 0;
    struct stat st;

    *size = series_size(0);
    if (!path || !is_whole(o, sum) || strcmp(name, "-") == 0)
        return false;
    if (stat(path, &st) != 0)
        return errno == ENOENT; /* which takes no time */
    allocated = (uint64_t)st.st_blocks * 512;
    if ((uint64_t)st.st_size > allocated)
        hole = (uint64_t)st.st_size - allocated;
    *size = series_size(hashes_holes(o, sum) ? allocated + hole
                                             : estimate_cost(allocated, hole));
    return S_ISREG(st.st_mode);
}

static void add(struct workload *e, const char *name, const struct sum *sum)
{
    uint64_t size;

    if (!size_of(e->o, name, sum, &size))
        e->unknown_size = true;
    e->all += size;
    e->count++;
}

/* A list on standard input is opened again, to leave its descriptor where it
 * is. */
static const char *path_of_list(const char *name)
{
    bool is_stdin = strcmp(name, "-") == 0;
    struct stat st;

    if (is_stdin && lseek(STDIN_FILENO, 0, SEEK_CUR) != 0)
        return NULL;
    if (is_stdin)
        name = "/proc/self/fd/0";
    return stat(name, &st) == 0 && S_ISREG(st.st_mode) ? name : NULL;
}

/* What is wrong with the list is reported when it is checked. */
static void add_list(struct workload *e, const char *name)
{
    const char *path = path_of_list(name);
    struct sum_spacing spacing = { .one = false };
    struct error error = ERROR_INIT;
    struct lines *lines;
    struct line line;
    const char *why;
    struct sum sum;

    if (!path || lines_open(path, name, &lines, &error) != 0) {
        e->unknown_count = true;
        error_clear(&error);
        return;
    }
    while (lines_next(lines, &line, &error) == 0 && line.text) {
        if (line.why || *line.text == '#' || !line.len)
            continue;
        if (sum_parse(line.text, line.len, &spacing, &sum, &why) == 0)
            add(e, sum.name, &sum);
        sum_clear(&sum);
    }
    lines_close(lines);
    error_clear(&error);
}

void workload_count(const struct options *o, char **names, int count)
{
    struct workload e = { .o = o };

    e.unknown_count = !progress_may_draw(&o->progress);
    for (int i = 0; i < count && !e.unknown_count; i++) {
        if (o->list.check)
            add_list(&e, names[i]);
        else
            add(&e, names[i], NULL);
    }
    if (e.unknown_count)
        e.count = o->list.check ? 0 : (uint64_t)count;
    progress_expect(&o->progress, e.count,
                    e.unknown_size || e.unknown_count ? 0 : e.all);
}

void workload_next(const struct options *o, const char *name,
                   const struct sum *sum)
{
    uint64_t size = 0;

    if (progress_may_draw(&o->progress))
        (void)size_of(o, name, sum, &size);
    progress_next(name, size);
}
