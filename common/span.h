/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A part of a text that has another owner.
 */
#ifndef COMMON_SPAN_H
#define COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* start is NULL where the text has no such part. */
struct span {
    const char *start;
    size_t len;
};

static inline struct span span_between(const char *start, const char *end)
{
    return (struct span){ .start = start, .len = end - start };
}

/* Whether it is this word, in upper or lower case. */
static inline bool span_is(struct span span, const char *word)
{
    return strlen(word) == span.len &&
           strncasecmp(span.start, word, span.len) == 0;
}

#endif
