/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/report.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "cli/message.h"
#include "mpi/comm.h"

double report_cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void report_job(uint64_t slices, double cpu_before)
{
    struct comm_figures f;

    comm_figures(&f);
    message("%d ranks; slices: %" PRIu64 "; messages: %" PRIu64 " with %" PRIu64
            " bytes; rank 0: %.3f s of CPU time to map, share "
            "and put together",
            comm_size(), slices, f.messages, f.bytes,
            report_cpu_seconds() - cpu_before);
}
