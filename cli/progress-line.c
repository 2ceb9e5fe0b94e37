/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress-line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/estimate.h"
#include "cli/safe-text.h"
#include "common/mask.h"
#include "common/units.h"

#define TIME_SIZE 32
#define TEXT_SIZE 128
#define SHORTEST_BAR 10

/* Rather than so few columns of a longer name, other parts are left out. */
#define SHORT_NAME 20

#define CUT "..."

static void format_time(double seconds, char text[TIME_SIZE])
{
    unsigned long s = seconds + 0.5;

    if (s >= 3600)
        snprintf(text, TIME_SIZE, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60,
                 s % 60);
    else
        snprintf(text, TIME_SIZE, "%lu:%02lu", s / 60, s % 60);
}

/* --- one image ---------------------------------------------------------- */

/* The parts of a text. */
enum { SIZE = 1, RATE = 2, TIME_LEFT = 4 };

static double seconds_left(const struct progress_image *image)
{
    return estimate_left(&image->done, image->allocated, image->seconds);
}

static void describe(const struct progress_image *image, unsigned parts,
                     char *text, size_t size)
{
    const struct engine_progress *p = &image->done;
    uint64_t read = p->done - p->unread;
    double rate = image->seconds > 0 ? read / image->seconds : 0;
    double to_go = p->size ? seconds_left(image) : 0;
    char number[SIZE_TEXT], left[TIME_SIZE] = "?";
    size_t n;

    if (p->size)
        n = snprintf(text, size, "%.1f%%", 100.0 * p->done / p->size);
    else
        n = snprintf(text, size, "%s", format_size(p->done, number));
    if (p->size && (parts & SIZE))
        n += snprintf(text + n, size - n, " of %s",
                      format_size(p->size, number));
    if (parts & RATE)
        n += snprintf(text + n, size - n, ", %s/s", format_size(rate, number));
    if (to_go >= 0)
        format_time(to_go, left);
    if (p->size && (parts & TIME_LEFT))
        snprintf(text + n, size - n, ", %s left", left);
}

void progress_describe(const struct progress_image *image, char *text,
                       size_t size)
{
    describe(image, SIZE | RATE | TIME_LEFT, text, size);
}

/* Add a bar before the text, if there is enough room. */
static void add_bar(const struct engine_progress *p, unsigned width,
                    const char *text, char line[PROGRESS_LINE_SIZE])
{
    int room = (int)width - (int)strlen(text) - (int)strlen("[] ");
    char cells[PROGRESS_MAX_WIDTH];
    unsigned filled;

    if (!p->size || room < SHORTEST_BAR) {
        snprintf(line, PROGRESS_LINE_SIZE, "%s", text);
        return;
    }
    filled = (double)room * p->done / p->size;
    memset(cells, '=', filled);
    memset(cells + filled, ' ', room - filled);
    snprintf(line, PROGRESS_LINE_SIZE, "[%.*s] %s", room, cells, text);
}

void progress_line(const struct progress_image *image, unsigned width,
                   char line[PROGRESS_LINE_SIZE])
{
    /* What is left out first stands first. */
    static const unsigned shorter[] = { SIZE | RATE | TIME_LEFT,
                                        RATE | TIME_LEFT, TIME_LEFT, 0 };
    char text[TEXT_SIZE];
    size_t i = 0;

    do
        describe(image, shorter[i], text, sizeof(text));
    while (strlen(text) > width && shorter[i++]);
    if (strlen(text) > width)
        *text = 0;
    add_bar(&image->done, width, text, line);
}

/* --- a series ----------------------------------------------------------- */

/* What is done of the current image, 0 to 1, in time. */
static double part_done(const struct progress_image *image)
{
    const struct engine_progress *p = &image->done;
    double left = seconds_left(image);

    if (!image->started || !p->size)
        return 0;
    if (left >= 0 && image->seconds > 0)
        return image->seconds / (image->seconds + left);
    return (double)p->done / p->size;
}

static void describe_series(const struct series *s,
                            const struct progress_image *image, double seconds,
                            bool time_left, char *text, size_t size)
{
    double to_go = series_left(s, part_done(image), seconds);
    char left[TIME_SIZE];
    size_t n;

    if (s->index <= s->count)
        n = snprintf(text, size, "%" PRIu64 " of %" PRIu64, s->index, s->count);
    else
        n = snprintf(text, size, "image %" PRIu64, s->index);
    if (to_go < 0 || !time_left)
        return;
    format_time(to_go, left);
    snprintf(text + n, size - n, ", %s left", left);
}

void progress_describe_series(const struct series *s,
                              const struct progress_image *image,
                              double seconds, char *text, size_t size)
{
    describe_series(s, image, seconds, true, text, size);
}

/* The bytes of the first character of a safe text, and at least as many columns
 * as it takes: most characters beyond ASCII take one, some two. */
static unsigned character(const char *text, unsigned *columns)
{
    unsigned len = 1;

    while (((unsigned char)text[len] & 0xc0) == 0x80)
        len++;
    *columns = len > 1 ? 2 : 1;
    return len;
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    unsigned columns;

    for (; *text; width += columns)
        text += character(text, &columns);
    return width;
}

/* The name as it can be shown. The caller frees it. NULL: no memory. */
static char *safe_name(const char *name)
{
    char *masked = mask_name(name);
    char *safe = NULL;
    size_t size;
    FILE *f = masked ? open_memstream(&safe, &size) : NULL;

    if (f) {
        safe_write(f, masked);
        fclose(f);
    }
    free(masked);
    return safe;
}

/* The end of a text that fits into some columns. */
static const char *end_of(const char *text, size_t width)
{
    size_t too_much = width_of(text);
    unsigned columns;

    for (; too_much > width; too_much -= columns)
        text += character(text, &columns);
    return text;
}

/* Write the line with these parts of the text of the image, or without one. If
 * there is not enough room, return false. */
static bool fit(const char *head, const char *name, const char *tail,
                unsigned width, char line[PROGRESS_LINE_SIZE])
{
    size_t others = strlen(head) + strlen(": ") + strlen(tail);
    size_t room = others < width ? width - others : 0;
    size_t wanted = width_of(name);
    bool cut = wanted > room;

    if (cut && room < SHORT_NAME)
        return false;
    snprintf(line, PROGRESS_LINE_SIZE, "%s: %s%s%s", head, cut ? CUT : "",
             cut ? end_of(name, room - strlen(CUT)) : name, tail);
    return true;
}

void progress_line_of_series(const struct series *s,
                             const struct progress_image *image, double seconds,
                             unsigned width, char line[PROGRESS_LINE_SIZE])
{
    static const unsigned shorter[] = { SIZE | RATE, RATE, 0 };
    char head[TEXT_SIZE], tail[TEXT_SIZE] = ": ";
    char *name = safe_name(image->name);
    bool done = false;

    describe_series(s, image, seconds, true, head, sizeof(head));
    for (size_t i = 0; !done && image->started && i < 3; i++) {
        describe(image, shorter[i], tail + 2, sizeof(tail) - 2);
        done = fit(head, name ? name : "", tail, width, line);
    }
    if (!done && !fit(head, name ? name : "", "", width, line)) {
        if (strlen(head) > width)
            describe_series(s, image, seconds, false, head, sizeof(head));
        snprintf(line, PROGRESS_LINE_SIZE, "%s",
                 strlen(head) > width ? "" : head);
    }
    free(name);
}
