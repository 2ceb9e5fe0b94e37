/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_START_H
#define CLI_START_H

/* What a program does first: it wipes the secrets in its arguments, of which
 * argv then has copies, makes sure that standard streams are open, and sets up
 * signals and debugging. Exits when out of memory. */
void start_process(int argc, char **argv);

#endif
