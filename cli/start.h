/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_START_H
#define CLI_START_H

/* What a program does first: it wipes the secrets in its arguments, of which
 * argv then has copies, makes sure that standard streams are open and that the
 * stack is large enough, and sets up signals and debugging. Exits if it cannot.
 */
void start_process(int argc, char **argv);

#endif
