/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/estimate.h"
#include "cli/message.h"
#include "cli/percent.h"

#define INTERVAL_MS 200

/* A bar that nobody asked for appears after a second: short runs stay quiet. */
#define PATIENCE 1.0

#define DEFAULT_COLUMNS 80
#define LINE_SIZE 512

/* There is one terminal, and one image at a time. */
static struct {
    const char *name;
    uint64_t allocated;
    bool always; /* a bar was asked for */
    bool never;
    bool to_fd;
    bool terminal;
    bool drawn;
    struct timespec start;
} bar;

static double elapsed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - bar.start.tv_sec) +
           (now.tv_nsec - bar.start.tv_nsec) / 1e9;
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

/* "42.0% of 6.0 GiB, 2.1 GiB/s, 0:02 left". The rate is that of bytes that
 * were not known to be a hole. */
static void describe(const struct engine_progress *p, char *text, size_t size)
{
    double seconds = elapsed();
    double rate = seconds > 0 ? (p->done - p->hole) / seconds : 0;
    char of[SIZE_TEXT], at[SIZE_TEXT], left[32] = "";
    double to_go;

    format_size(rate, at);
    if (p->size == 0) {
        snprintf(text, size, "%s, %s/s", format_size(p->done, of), at);
        return;
    }
    to_go = estimate_left(p, bar.allocated, seconds);
    if (to_go >= 0)
        format_time(to_go, left);
    snprintf(text, size, "%.1f%% of %s, %s/s, %s left",
             100.0 * p->done / p->size, format_size(p->size, of), at,
             *left ? left : "?");
}

static void draw(const struct engine_progress *p)
{
    char text[128];
    char line[LINE_SIZE];
    unsigned width = columns();
    int room;

    describe(p, text, sizeof(text));
    /* The last column stays empty: some terminals wrap there. */
    room = (int)width - 1 - (int)strlen(text) - 3;
    if (p->size && room >= 10) {
        unsigned filled = (double)room * p->done / p->size;
        char cells[LINE_SIZE];

        memset(cells, '=', filled);
        memset(cells + filled, ' ', room - filled);
        snprintf(line, sizeof(line), "[%.*s] %s", room, cells, text);
    } else {
        snprintf(line, width, "%s", text);
    }
    fprintf(stderr, bar.terminal ? "\r%s\033[K" : "%s\n", line);
    fflush(stderr);
    bar.drawn = true;
}

void progress_begin(const char *name, uint64_t allocated,
                    const struct progress_options *options)
{
    bar.name = name;
    bar.allocated = allocated;
    bar.to_fd = options->to_fd;
    bar.never = options->never;
    bar.always = options->always && !bar.to_fd && !bar.never;
    bar.terminal = isatty(STDERR_FILENO);
    bar.drawn = false;
    clock_gettime(CLOCK_MONOTONIC, &bar.start);
    if (bar.to_fd)
        percent_begin(options->fd);
}

int progress_interval(void)
{
    if (bar.to_fd)
        return INTERVAL_MS;
    if (bar.never || (!bar.always && !bar.terminal))
        return -1;
    /* A log gets a line each second. */
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
    char text[128];

    describe(progress, text, sizeof(text));
    message("%s: %s", bar.name, text);
}

void progress_end(const struct engine_progress *progress, bool done)
{
    if (bar.always) {
        draw(progress);
        if (bar.terminal)
            fputc('\n', stderr);
        bar.drawn = false;
    }
    if (bar.to_fd && done)
        percent_done();
    progress_clear();
}

void progress_clear(void)
{
    if (bar.drawn && bar.terminal)
        fputs("\r\033[K", stderr);
    bar.drawn = false;
}
