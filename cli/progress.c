/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/estimate.h"
#include "cli/message.h"
#include "cli/percent.h"
#include "common/clock.h"
#include "common/write.h"

#define INTERVAL_MS 200

/* Without --progress, the bar appears after so many seconds. */
#define PATIENCE 1.0

#define DEFAULT_COLUMNS 80
#define LINE_SIZE 512
#define TEXT_SIZE 128
#define SHORTEST_BAR 10

/* Go to the start of the line, and clear it. */
#define WIPE "\r\033[K"

/* There is one terminal, and one image at a time. */
static struct {
    const char *name;
    uint64_t allocated;
    bool always; /* the user asked for a bar */
    bool never;
    bool to_fd;
    bool terminal;
    volatile sig_atomic_t drawn; /* there is something to wipe */
    double start;                /* in seconds */
} bar;

static double elapsed(void)
{
    return clock_seconds() - bar.start;
}

static unsigned columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col < LINE_SIZE ? size.ws_col : LINE_SIZE - 1;
    return DEFAULT_COLUMNS;
}

static void format_time(double seconds, char text[32])
{
    unsigned long s = seconds + 0.5;

    if (s >= 3600)
        snprintf(text, 32, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, 32, "%lu:%02lu", s / 60, s % 60);
}

/* The parts of a line, from the most important to the one that is dropped
 * first. */
enum detail { DONE, TIME_LEFT, RATE, SIZE };

/* Write "42.0% of 6.0 GiB, 2.1 GiB/s, 0:02 left", or a part of it. The rate
 * does not count holes. */
static void describe(const struct engine_progress *p, enum detail detail,
                     char *text, size_t size)
{
    double seconds = elapsed();
    double rate = seconds > 0 ? (p->done - p->unread) / seconds : 0;
    double to_go = p->size ? estimate_left(p, bar.allocated, seconds) : 0;
    char number[SIZE_TEXT], left[32] = "?";
    size_t n;

    if (p->size)
        n = snprintf(text, size, "%.1f%%", 100.0 * p->done / p->size);
    else
        n = snprintf(text, size, "%s", format_size(p->done, number));
    if (p->size && detail >= SIZE)
        n += snprintf(text + n, size - n, " of %s",
                      format_size(p->size, number));
    if (detail >= RATE)
        n += snprintf(text + n, size - n, ", %s/s", format_size(rate, number));
    if (to_go >= 0)
        format_time(to_go, left);
    if (p->size && detail >= TIME_LEFT)
        snprintf(text + n, size - n, ", %s left", left);
}

/* Add a bar before the text, if there is enough room. */
static void draw_bar(const struct engine_progress *p, unsigned width,
                     const char *text, char line[LINE_SIZE])
{
    int room = (int)width - (int)strlen(text) - (int)strlen("[] ");
    char cells[LINE_SIZE];
    unsigned filled;

    if (!p->size || room < SHORTEST_BAR) {
        snprintf(line, LINE_SIZE, "%s", text);
        return;
    }
    filled = (double)room * p->done / p->size;
    memset(cells, '=', filled);
    memset(cells + filled, ' ', room - filled);
    snprintf(line, LINE_SIZE, "[%.*s] %s", room, cells, text);
}

/* Held while the bar is drawn or wiped, and while it is hidden. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* In one piece, and all of it. */
static void __attribute__((format(printf, 1, 2)))
write_line(const char *format, ...)
{
    char text[LINE_SIZE + 8]; /* and what moves the cursor */
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    write_all(STDERR_FILENO, text, len);
}

static void draw(const struct engine_progress *p)
{
    /* Some terminals wrap after the last column. */
    unsigned width = columns() - 1;
    char line[LINE_SIZE], text[TEXT_SIZE];
    enum detail detail = SIZE;

    describe(p, detail, text, sizeof(text));
    while (strlen(text) > width && detail > DONE)
        describe(p, --detail, text, sizeof(text));
    if (strlen(text) > width)
        *text = 0;
    draw_bar(p, width, text, line);
    pthread_mutex_lock(&lock);
    write_line(bar.terminal ? "\r%s\033[K" : "%s\n", line);
    bar.drawn = true;
    pthread_mutex_unlock(&lock);
}

void progress_wipe_in_handler(void)
{
    if (bar.drawn && bar.terminal)
        write_all(STDERR_FILENO, WIPE, strlen(WIPE));
}

void progress_hide(void)
{
    pthread_mutex_lock(&lock);
    if (bar.drawn && bar.terminal)
        write_line(WIPE);
    bar.drawn = false;
}

void progress_show(void)
{
    pthread_mutex_unlock(&lock);
}

static void wipe(void)
{
    progress_hide();
    progress_show();
}

void progress_begin(const char *name, uint64_t allocated,
                    const struct progress_options *options)
{
    bar.allocated = allocated;
    bar.to_fd = options->to_fd;
    bar.never = options->never;
    bar.always = options->always && !bar.to_fd && !bar.never;
    if (!bar.name)
        bar.terminal = isatty(STDERR_FILENO);
    bar.name = name;
    bar.drawn = false;
    bar.start = clock_seconds();
    message_clear_with(wipe);
    if (bar.to_fd)
        percent_begin(options->fd);
}

int progress_interval(void)
{
    if (bar.to_fd)
        return INTERVAL_MS;
    if (bar.never || (!bar.always && !bar.terminal))
        return -1;
    /* A log gets one line a second. */
    return bar.terminal ? INTERVAL_MS : 1000;
}

void progress_update(const struct engine_progress *progress)
{
    if (bar.to_fd)
        percent_write(progress);
    else if (bar.always || (bar.terminal && elapsed() > PATIENCE))
        draw(progress);
}

void progress_report(const struct engine_progress *progress)
{
    char text[TEXT_SIZE];

    describe(progress, SIZE, text, sizeof(text));
    message("%s: %s", bar.name, text);
}

void progress_end(const struct engine_progress *progress, bool done)
{
    if (bar.always) {
        draw(progress);
        if (bar.terminal)
            write_line("\n");
        bar.drawn = false;
    }
    if (bar.to_fd && done)
        percent_done();
    wipe();
}
