/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/help.h"

#include <stdio.h>

/* A screen of 24 lines has it all, and the prompt. */
static const char text[] =
    "Usage: disksum [OPTION]... [IMAGE]...             files, NBD URIs, - for stdin\n"
    "  or:  disksum --check [OPTION]... [SUMS]...      lists of what was printed\n"
    "  or:  disksum [OPTION]... -- [ COMMAND ARG... ]  an NBD server to start\n"
    "Print checksums of what guests see; they cannot be compared with sha256sum's.\n"
    "What is hashed                         How it is read\n"
    " -d, --digest=NAME -a, --algorithm=NAME -T, --source-cache=MODE none: direct I/O\n"
    "     --block-size=SIZE default 64k      %s --cache             as -T writeback\n"
    " %s --list-digests    print the names  -U, --force-share       even when in use\n"
    " -f, --format=FMT      default: probed      --no-extents        read holes, too\n"
    " %s --snapshot=NAME   its id or name   -t, --threads=N         one for each CPU\n"
    "     --image-opts      options of QEMU      --queue-depth=N     default 8\n"
    "     --object=DEF      secret, TLS key      --read-size=SIZE    default 1M\n"
    "     --standalone      no backing file      --connections=N     NBD, default 4\n"
    "     --trust-names     follow any name      --timeout=SECONDS   NBD, default 120\n"
    "     --max-size=SIZE   refuse larger    The default digest is sha256.\n"
    "What is printed                        Check\n"
    "     --tag             name the digest  %s --check             verify by SUMS\n"
    " -z, --zero            end in NUL           --ignore-missing    skip if no file\n"
    "     --json            --output=json        --status            exit status only\n"
    " -p, --progress[=FD]   bar, or to FD        --strict            bad lines fail\n"
    " -q, --quiet           errors only      -w, --warn              name bad lines\n"
    " -v, --verbose         what was read   -h, --help               -V, --version\n"
    "Exit status: 0; 1 if an image failed or did not match; 2 for wrong usage\n";

void help_print(bool blksum)
{
    static const char none[] = "   ";
    const char *c = "-c,";
    const char *l = "-l,";

    printf(text, blksum ? c : none, blksum ? l : none, blksum ? none : l,
           blksum ? none : c);
}
