# SPDX-License-Identifier: LGPL-2.1-or-later
"""The n-th system call of a run fails, whoever makes it: disksum, the C library, liburing,
libnbd, GnuTLS. It does so for want of something, for a broken device, by a signal, by a
filter that refuses it, or as in a kernel without it. test_call_faults.py says how the run must end.

What the dynamic linker does before main() does not fail."""

import pytest

from call_faults import CAUSES, NO_FILTER, Fault, fail_all, fail_some
from fault_cases import CASES, export_of_host, ring
from test_call_faults import load  # noqa: F401 (a fixture)
from tls_fault_cases import HOSTILE, TLS_CASES

pytestmark = pytest.mark.no_sanitizer

# How many calls fail for a cause, alone and with all later ones of the same system call,
# where not all do.
SAMPLE = {"one": 3, "rest": 2}
# A call that is interrupted each time is made for ever.
SAMPLES = {**dict.fromkeys(CAUSES, SAMPLE), "signal": {"one": 4}}
HOSTILE_SAMPLE = {"one": 6}


@pytest.fixture
def load_filtered(load):  # noqa: F811
    def load_filtered(make):
        case, program = load(make)
        if program.run(Fault("absent", 0)).status == NO_FILTER << 8:
            pytest.skip("no seccomp filter that asks another process")
        return program
    return load_filtered


@pytest.mark.parametrize("make", [*CASES, export_of_host, *TLS_CASES],
                         ids=lambda make: make.__name__)
def test_each_call(load_filtered, make, record_property):
    row, wrong = fail_all(load_filtered(make), make.__name__, SAMPLES)
    record_property("calls", (make.__name__, row))
    assert not wrong


@pytest.mark.parametrize("make", [make for make, _ in HOSTILE], ids=lambda make: make.__name__)
def test_hostile_server_stays_refused(load_filtered, make):
    program = load_filtered(make)
    for cause in CAUSES:
        _, failed, wrong = fail_some(program, make.__name__, cause, "program", HOSTILE_SAMPLE)
        assert failed and not wrong


def test_calls_of_libraries(load_filtered):
    """Those of liburing and the C library are among the calls that fail."""
    program = load_filtered(ring)
    for name in "io_uring_setup", "io_uring_enter", "clone3", "mmap":
        failed = program.run(Fault(f"absent:{name}", 1))
        assert (failed.name, failed.failed) == (name, 1)
