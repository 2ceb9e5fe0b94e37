/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the numbers of a part come from.
 *
 * A task of an array knows its own number from a variable. How many parts there
 * are must be on the command line: SLURM_ARRAY_TASK_COUNT and its like describe
 * the tasks that were submitted together, and where a failed task is submitted
 * again, that is one.
 */
#include "cli/shard.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "common/array.h"

/* The indexes of an array, as sbatch --array and --shard=slurm: name them. */
struct range {
    unsigned first, last, step;
};

static const struct scheduler {
    const char *name;
    const char *variable; /* the index of this task */
    unsigned first;       /* the index of part 1 */
    bool has_range;       /* arrays may have other indexes */
    const char *task;     /* what has the variable */
} schedulers[] = {
    { "slurm", "SLURM_ARRAY_TASK_ID", 1, true, "a task of a job array" },
    { "kubernetes", "JOB_COMPLETION_INDEX", 0, false,
      "a pod of an indexed Job" },
};

const char *const shard_words[] = { "slurm/", "kubernetes/", NULL };

/* Read digits. NULL: there are none, or they are more than UINT_MAX. */
static const char *parse_digits(const char *text, unsigned *number)
{
    uint64_t n = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9' && n <= UINT_MAX; p++)
        n = 10 * n + (*p - '0');
    *number = (unsigned)n;
    return p > text && n <= UINT_MAX ? p : NULL;
}

/* Read digits up to a character, which follows them at once. NULL: there is
 * something else. */
static const char *parse_number(const char *text, char end, unsigned *number)
{
    const char *p = parse_digits(text, number);

    return p && *p == end ? p + 1 : NULL;
}

/* Read FIRST-LAST or FIRST-LAST:STEP. */
static bool parse_range(const char *text, struct range *range)
{
    const char *p = parse_number(text, '-', &range->first);

    p = p ? parse_digits(p, &range->last) : NULL;
    range->step = 1;
    if (p && *p == ':')
        p = parse_digits(p + 1, &range->step);
    return p && !*p && range->step > 0 && range->first <= range->last &&
           (range->last - range->first) / range->step < UINT_MAX;
}

static bool parse_count(const char *text, unsigned first, struct range *range)
{
    unsigned count;

    if (!parse_number(text, '\0', &count) || count < 1)
        return false;
    *range = (struct range){ first, first + (count - 1), 1 };
    return range->last >= first;
}

static enum options_result refuse(const char *text)
{
    usage_message("invalid shard '%s': must be I/N with I from 1 to N, "
                  "slurm/N, slurm:FIRST-LAST[:STEP] or kubernetes/N",
                  text);
    return OPTIONS_BAD;
}

static enum options_result refuse_index(const struct scheduler *s,
                                        const struct range *range,
                                        const char *text, unsigned index)
{
    if (range->step == 1)
        message("--shard=%s: %s is %u, not %u to %u", text, s->variable, index,
                range->first, range->last);
    else
        message("--shard=%s: %s is %u, not one of %u to %u by steps of %u",
                text, s->variable, index, range->first, range->last,
                range->step);
    return OPTIONS_FAILED;
}

/* The part of this task. */
static enum options_result find_task(const struct scheduler *s,
                                     const struct range *range,
                                     const char *text, struct shard *shard)
{
    const char *value = getenv(s->variable);
    unsigned index;

    if (!value) {
        message("--shard=%s: %s is not set: this is not %s", text, s->variable,
                s->task);
        return OPTIONS_FAILED;
    }
    if (!parse_number(value, '\0', &index)) {
        message("--shard=%s: %s is not a number: '%s'", text, s->variable,
                value);
        return OPTIONS_FAILED;
    }
    if (index < range->first || index > range->last ||
        (index - range->first) % range->step)
        return refuse_index(s, range, text, index);
    shard->index = (index - range->first) / range->step + 1;
    shard->count = (range->last - range->first) / range->step + 1;
    return OPTIONS_RUN;
}

enum options_result shard_parse(const char *text, struct shard *shard)
{
    const char *count = parse_number(text, '/', &shard->index);
    struct range range;

    if (count && parse_number(count, '\0', &shard->count) &&
        shard->index >= 1 && shard->index <= shard->count)
        return OPTIONS_RUN;
    for (size_t i = 0; i < ARRAY_SIZE(schedulers); i++) {
        const struct scheduler *s = &schedulers[i];
        size_t len = strlen(s->name);

        if (strncmp(text, s->name, len) != 0)
            continue;
        if ((text[len] == '/' &&
             parse_count(text + len + 1, s->first, &range)) ||
            (text[len] == ':' && s->has_range &&
             parse_range(text + len + 1, &range)))
            return find_task(s, &range, text, shard);
    }
    return refuse(text);
}
