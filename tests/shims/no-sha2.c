/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: the CPU has no SHA2 instructions. For ARM, where programs ask the
 * C library, not the CPU.
 */
#include <dlfcn.h>
#include <sys/auxv.h>

unsigned long getauxval(unsigned long type)
{
    unsigned long (*real)(unsigned long) = dlsym(RTLD_NEXT, "getauxval");
    unsigned long value = real(type);

    return type == AT_HWCAP ? value & ~(unsigned long)HWCAP_SHA2 : value;
}
