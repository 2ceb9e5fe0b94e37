/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens inside, for people who work on disksum: DISKSUM_DEBUG names
 * topics, and each event of theirs is a line on stderr. An event that is off
 * costs one branch.
 *
 * Threads: debug_start() is called before any other thread exists; the rest is
 * for all threads.
 */
#ifndef COMMON_DEBUG_H
#define COMMON_DEBUG_H

#include <stdbool.h>

enum debug_topic {
    DEBUG_MAP,    /* extents, as the planner gets them */
    DEBUG_READ,   /* reads and their results */
    DEBUG_RING,   /* slots: planned, committed, failed */
    DEBUG_METHOD, /* trials of read methods, and the choice */
    DEBUG_NBD,    /* connections to NBD servers and their commands */
};

/* The topics that are on: a bit for each. */
extern unsigned debug_topics;

static inline bool debug_is_on(enum debug_topic topic)
{
    return __builtin_expect(debug_topics >> topic & 1, 0);
}

/* Write an event of a topic, as printf() does. The arguments are
 * evaluated only when the topic is on. */
#define debug(topic, ...)                                                      \
    do {                                                                       \
        if (debug_is_on(topic))                                                \
            debug_event(topic, __VA_ARGS__);                                   \
    } while (0)

/* The same without checking whether the topic is on. Preserves errno. */
void debug_event(enum debug_topic topic, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Turn on the topics of a list that is separated by commas; NULL: none. print()
 * writes a line, from any thread, and hides what must not be shown. It also
 * gets a warning for each word that is not a topic.
 */
void debug_start(const char *topics, void (*print)(const char *line));

#endif
