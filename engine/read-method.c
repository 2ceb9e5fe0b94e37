/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/read-method.h"

#include <stdlib.h>
#include <string.h>

#include "common/debug.h"

/* To copy less takes no longer than to make a window for it. */
#define MIN_MMAP 65536

/* Slots by each method in a trial. The best of them counts: what disturbs a run
 * makes it longer. */
#define TRIES 8

/* The part of the time that may be lost in trials, and the slots from one to
 * the next that follow from it, within limits. */
#define MAX_LOSS 0.01
#define MIN_SLOTS 100
#define MAX_SLOTS 50000

const char *read_method_name(enum read_method method)
{
    return method == READ_METHOD_MMAP ? "mmap" : "copy";
}

const char *read_content_name(enum read_content content)
{
    static const char *const names[READ_CONTENTS] = {
        [CONTENT_DATA] = "data",
        [CONTENT_MIXED] = "data and zeros",
        [CONTENT_ZEROS] = "zeros",
    };

    return names[content];
}

void read_choice_init(struct read_choice *c)
{
    const char *forced = getenv("DISKSUM_READS");

    *c = (struct read_choice){ .figures.method = READ_METHOD_MMAP };
    pthread_mutex_init(&c->lock, NULL);
    for (enum read_method m = 0; forced && m < READ_METHODS; m++) {
        if (strcmp(forced, read_method_name(m)) == 0) {
            c->figures.method = m;
            c->figures.forced = true;
            debug(DEBUG_METHOD, "%s, forced by DISKSUM_READS", forced);
        }
    }
}

void read_choice_free(struct read_choice *c)
{
    pthread_mutex_destroy(&c->lock);
}

static struct read_choice shared;

static void init_shared(void)
{
    read_choice_init(&shared);
}

struct read_choice *read_choice_shared(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_shared);
    return &shared;
}

/* Both methods in turn, but without a period (the Thue-Morse sequence): where
 * contents alternate with the same period, each would meet only one method. */
static enum read_method method_in_turn(unsigned slot)
{
    return __builtin_parity(slot) ? READ_METHOD_COPY : READ_METHOD_MMAP;
}

enum read_method read_choice_next(struct read_choice *c, size_t len,
                                  bool *measure)
{
    enum read_method method;

    *measure = false;
    if (!c->figures.forced && len < MIN_MMAP)
        return READ_METHOD_COPY;
    pthread_mutex_lock(&c->lock);
    *measure = !c->figures.forced && c->left == 0;
    method = *measure ? method_in_turn(c->turn++) : c->figures.method;
    pthread_mutex_unlock(&c->lock);
    return method;
}

static enum read_content content_of(size_t len, size_t zeros)
{
    size_t quarter = len / 4;

    if (zeros < quarter)
        return CONTENT_DATA;
    return zeros <= 3 * quarter ? CONTENT_MIXED : CONTENT_ZEROS;
}

/* A trial is complete. Its result holds the longer, the more a trial costs. */
static void choose(struct read_choice *c, enum read_content content)
{
    struct read_method_figures *f = &c->figures;
    const double *cost = f->cost;
    double slots;

    memcpy(f->cost, c->trials[content].cost, sizeof(f->cost));
    f->content = content;
    f->measured = true;
    f->method = cost[READ_METHOD_COPY] < cost[READ_METHOD_MMAP]
                    ? READ_METHOD_COPY
                    : READ_METHOD_MMAP;
    slots = TRIES / MAX_LOSS * (cost[!f->method] / cost[f->method] - 1);
    if (slots < MIN_SLOTS)
        slots = MIN_SLOTS;
    if (slots > MAX_SLOTS)
        slots = MAX_SLOTS;
    c->left = slots;
    c->turn = 0;
    debug(DEBUG_METHOD,
          "%s: mmap %.3f ns/byte, copy %.3f ns/byte: %s for %u slots",
          read_content_name(content), cost[READ_METHOD_MMAP],
          cost[READ_METHOD_COPY], read_method_name(f->method), c->left);
    memset(c->trials, 0, sizeof(c->trials));
}

static void add_to_trial(struct read_choice *c, enum read_method method,
                         double cost, enum read_content content)
{
    struct read_trial *t = &c->trials[content];

    if (t->slots[method]++ == 0 || cost < t->cost[method])
        t->cost[method] = cost;
    if (t->slots[READ_METHOD_MMAP] >= TRIES &&
        t->slots[READ_METHOD_COPY] >= TRIES)
        choose(c, content);
}

void read_choice_note(struct read_choice *c, enum read_method method,
                      uint64_t nanoseconds, size_t len, size_t zeros)
{
    if (len < MIN_MMAP)
        return;
    pthread_mutex_lock(&c->lock);
    c->figures.slots[method]++;
    if (c->left > 0)
        c->left--;
    else if (nanoseconds)
        add_to_trial(c, method, (double)nanoseconds / len,
                     content_of(len, zeros));
    pthread_mutex_unlock(&c->lock);
}

void read_choice_figures(struct read_choice *c,
                         struct read_method_figures *figures)
{
    pthread_mutex_lock(&c->lock);
    *figures = c->figures;
    pthread_mutex_unlock(&c->lock);
}
