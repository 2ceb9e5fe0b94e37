/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/percent.h"
#include "cli/progress-line.h"
#include "common/clock.h"
#include "common/write.h"

#define INTERVAL_MS 200

/* A log gets a line so often. */
#define LOG_INTERVAL_MS 1000

/* Without --progress, the bar appears after so many seconds. */
#define PATIENCE 1.0

#define DEFAULT_COLUMNS 80
#define TEXT_SIZE 256

/* Go to the start of the line, and clear it. */
#define WIPE "\r\033[K"

/* There is one terminal, and one image at a time. */
static struct {
    bool is_set;
    bool always; /* the user asked for a bar */
    bool never;
    bool to_fd;
    bool terminal;
    volatile sig_atomic_t drawn; /* there is something to wipe */
    double last;                 /* when it was drawn, in seconds */
    char *name;
    struct progress_image image;
    double image_start;
    struct series series;
    double start; /* of all images, or of the only one */
} bar;

/* --- the terminal ------------------------------------------------------- */

/* Held while the bar is drawn or wiped, and while it is hidden. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Whether stderr is a terminal that knows how to clear a line. */
static bool has_terminal(void)
{
    const char *type = getenv("TERM");

    return type && *type && strcmp(type, "dumb") != 0 && isatty(STDERR_FILENO);
}

bool progress_may_draw(const struct progress_options *options)
{
    if (options->never || options->to_fd)
        return false;
    return options->always || (bar.is_set ? bar.terminal : has_terminal());
}

/* Some terminals wrap after the last column, so that is left free. */
static unsigned width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_COLUMNS - 1;
    return size.ws_col <= PROGRESS_MAX_WIDTH ? size.ws_col - 1
                                             : PROGRESS_MAX_WIDTH;
}

/* In one piece, and all of it. */
static void __attribute__((format(printf, 1, 2)))
write_line(const char *format, ...)
{
    char text[PROGRESS_LINE_SIZE + 8]; /* and what moves the cursor */
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    write_all(STDERR_FILENO, text, len);
}

void progress_wipe_in_handler(void)
{
    if (bar.drawn && bar.terminal)
        write_now(STDERR_FILENO, WIPE, strlen(WIPE));
}

/* Wipe the line, and draw none until show(): something else, also another
 * thread, writes to the terminal. */
static void hide(void)
{
    pthread_mutex_lock(&lock);
    if (bar.drawn && bar.terminal)
        write_line(WIPE);
    bar.drawn = false;
}

static void show(void)
{
    pthread_mutex_unlock(&lock);
}

static void wipe(void)
{
    hide();
    show();
}

/* --- draw --------------------------------------------------------------- */

static bool has_several(void)
{
    return series_has_several(&bar.series);
}

static void draw(void)
{
    double now = clock_seconds();
    char line[PROGRESS_LINE_SIZE];

    bar.image.seconds = now - bar.image_start;
    if (has_several())
        progress_line_of_series(&bar.series, &bar.image, now - bar.start,
                                width(), line);
    else
        progress_line(&bar.image, width(), line);
    pthread_mutex_lock(&lock);
    bar.drawn = true; /* before it is: a signal may come in between */
    write_line(bar.terminal ? "\r%s\033[K" : "%s\n", line);
    bar.last = now;
    pthread_mutex_unlock(&lock);
}

static bool is_shown(void)
{
    return bar.always ||
           (bar.terminal && clock_seconds() - bar.start > PATIENCE);
}

/* Draw the line of a series, if something has wiped it or it is old. */
static void refresh(void)
{
    double age = 1000 * (clock_seconds() - bar.last);

    if (bar.never || bar.to_fd || !is_shown())
        return;
    if (bar.terminal ? !bar.drawn || age >= INTERVAL_MS
                     : age >= LOG_INTERVAL_MS)
        draw();
}

/* What the user asked for stays where it is. */
static void keep_or_wipe(void)
{
    if (bar.always) {
        draw();
        if (bar.terminal)
            write_line("\n");
        bar.drawn = false;
    }
    wipe();
}

/* --- all images --------------------------------------------------------- */

static void set_name(const char *name)
{
    free(bar.name);
    bar.name = strdup(name);
    bar.image = (struct progress_image){ .name = bar.name ? bar.name : "" };
}

static void set_options(const struct progress_options *options)
{
    if (bar.is_set)
        return;
    bar.is_set = true;
    bar.to_fd = options->to_fd;
    bar.never = options->never;
    bar.always = options->always && !bar.to_fd && !bar.never;
    bar.terminal = has_terminal();
    message_clear_with(wipe);
    if (output_is_terminal())
        output_surround(hide, show);
}

void progress_expect(const struct progress_options *options, uint64_t count,
                     uint64_t all)
{
    set_options(options);
    bar.series = (struct series){
        .count = count,
        .has_sizes = count && all,
        .all = all,
    };
    bar.start = bar.last = clock_seconds();
}

void progress_next(const char *name, uint64_t size)
{
    series_next(&bar.series, size);
    set_name(name);
    if (has_several())
        refresh();
}

void progress_finish(void)
{
    if (has_several() && !bar.never && !bar.to_fd)
        keep_or_wipe();
    bar.series = (struct series){ .count = 0 };
}

/* --- one image ---------------------------------------------------------- */

void progress_begin(const char *name, uint64_t allocated,
                    const struct progress_options *options)
{
    set_options(options);
    set_name(name);
    bar.image.allocated = allocated;
    bar.image.started = true;
    bar.image_start = clock_seconds();
    series_found(&bar.series, allocated);
    if (!has_several())
        bar.start = bar.image_start;
    if (bar.to_fd)
        percent_begin(options->fd);
}

int progress_interval(void)
{
    if (bar.to_fd)
        return INTERVAL_MS;
    if (bar.never || (!bar.always && !bar.terminal))
        return -1;
    return bar.terminal ? INTERVAL_MS : LOG_INTERVAL_MS;
}

void progress_update(const struct engine_progress *progress)
{
    bar.image.done = *progress;
    if (bar.to_fd)
        percent_write(progress);
    else if (is_shown())
        draw();
}

void progress_report(const struct engine_progress *progress)
{
    double now = clock_seconds();
    char text[TEXT_SIZE], series[TEXT_SIZE];

    bar.image.done = *progress;
    bar.image.seconds = now - bar.image_start;
    progress_describe(&bar.image, text, sizeof(text));
    if (!has_several()) {
        message("%s: %s", bar.image.name, text);
        return;
    }
    progress_describe_series(&bar.series, &bar.image, now - bar.start, series,
                             sizeof(series));
    message("%s: %s; %s", bar.image.name, text, series);
}

void progress_end(const struct engine_progress *progress, bool done)
{
    bar.image.done = *progress;
    if (bar.to_fd && done)
        percent_done();
    if (has_several())
        refresh();
    else
        keep_or_wipe();
}
