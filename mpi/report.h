/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MPI_REPORT_H
#define MPI_REPORT_H

#include <stdint.h>

/* What this thread has used of the CPU. It hashes nothing but small images. */
double report_cpu_seconds(void);

/* Print what it took rank 0 to share the work, for --verbose. slices: how many
 * it has handed out. cpu_before: what it had used of the CPU before. */
void report_job(uint64_t slices, double cpu_before);

#endif
