/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/message.h"
#include "cli/progress.h"
#include "common/signals.h"
#include "common/write.h"
#include "image/image.h"

static volatile sig_atomic_t report_wanted;

static void want_report(int signal)
{
    (void)signal;
    report_wanted = 1;
}

void run_catch_signals(void)
{
    struct sigaction action = { .sa_handler = want_report };
    sigset_t set;

    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);

    sigemptyset(&set);
    sigaddset(&set, SIGBUS); /* see engine_start() */
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void tell_and_end(int signal)
{
    static const char line[] = PROGRAM ": Terminated by signal 15\n";

    progress_wipe_in_handler();
    write_now(STDERR_FILENO, line, strlen(line));
    signal_end_by(signal);
}

void run_tell_of_termination(void)
{
    const struct sigaction action = { .sa_handler = tell_and_end };
    struct sigaction before;

    _Static_assert(SIGTERM == 15, "the message is wrong");
    if (sigaction(SIGTERM, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGTERM, &action, NULL);
}

static bool is_report_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1);
}

/* Show progress until the engine is done. If it is done already, only look for
 * a signal. */
static void wait_for_engine(struct engine *e)
{
    struct pollfd pfd = { .fd = engine_done_fd(e), .events = POLLIN };
    bool is_done = pfd.fd < 0;
    struct engine_progress progress;
    sigset_t waiting;

    if (is_done && !is_report_pending())
        return;
    pthread_sigmask(SIG_BLOCK, NULL, &waiting);
    sigdelset(&waiting, SIGUSR1);
    do {
        int ms = is_done ? 0 : progress_interval();
        struct timespec timeout = { .tv_sec = ms / 1000,
                                    .tv_nsec = ms % 1000 * 1000000L };
        int ready = ppoll(&pfd, 1, ms < 0 ? NULL : &timeout, &waiting);

        /* engine_finish() waits, too. */
        if (ready < 0 && errno != EINTR)
            return;
        engine_progress(e, &progress);
        if (report_wanted) {
            report_wanted = 0;
            progress_report(&progress);
        } else if (ready == 0 && !is_done) {
            progress_update(&progress);
        }
    } while (!is_done && !(pfd.revents & POLLIN));
}

/* Warn if there is data where a file reports a hole. */
static void warn_false_hole(const struct options *o, const struct false_hole *h)
{
    if (h->name && input_wants_warnings(o))
        message(FALSE_HOLE_WARNING, h->name, h->offset);
}

/* The user may mean another disk than what came through a pipe. */
static void warn_lookalike(const struct options *o, const char *name,
                           const struct lookalike *l)
{
    char text[LOOKALIKE_TEXT];

    if (!lookalike_found(l) || !input_wants_warnings(o))
        return;
    lookalike_describe(l, LOOKALIKE_PIPE, text);
    message("%s: warning: %s", name, text);
}

/* About how much there is to read; 0: unknown, or holes take as long. */
static uint64_t allocated(const struct engine_options *o,
                          const struct engine_input *input)
{
    bool all = input->image && !input->known && !input->is_part;

    return all && !engine_hashes_holes(o) ? image_allocated(input->image) : 0;
}

int run_engine(const struct options *o, const struct engine_input *input,
               struct engine_result *result, struct error *error)
{
    struct engine_progress progress;
    struct engine *e;
    int err = engine_new(&o->engine, input, &e, error);

    if (err)
        return err;
    progress_begin(input->name, allocated(&o->engine, input), &o->progress);
    err = engine_start(e, error);
    if (!err) {
        wait_for_engine(e);
        err = engine_finish(e, result, error);
        engine_progress(e, &progress);
        progress_end(&progress, !err);
        warn_false_hole(o, &result->false_hole);
        warn_lookalike(o, input->name, &result->lookalike);
    }
    engine_free(e);
    return err;
}
