# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all end-to-end tests share. DISKSUM_BUILD is the directory of the build
that is tested."""

import collections
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import call_faults  # noqa: E402: found there
from nbd_server import Servers  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("DISKSUM_BUILD", ROOT / "build"))

# Set for some tests, and by them.
for name in "BLKHASH_SHA256", "DISKSUM_DEBUG", "DISKSUM_READS":
    os.environ.pop(name, None)


# The suite 'threads': this is the number that disksum starts if no option says so.
THREADS = {"LD_PRELOAD": f"{BUILD}/tests/many-cpus.so", "MANY_CPUS": "8"} \
    if os.environ.get("DISKSUM_SUITE") == "threads" else {}
os.environ.update(THREADS)

# What was started by nohup, or in the background of a script, ignores these, and
# so do all programs that it starts.
for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "sanitizer(every=1): run it with the sanitizer builds, too; of many "
        "cases every so many'th one")
    config.addinivalue_line(
        "markers", "one_thread: nothing in it for the thread sanitizer")
    config.addinivalue_line(
        "markers", "no_sanitizer: not in the suite 'threads', as a sanitizer changes what it "
        "measures, or its program is not built with one")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Take the mark of the sanitizers from the cases that are left out."""
    cases = collections.Counter()
    for item in items:
        mark = item.get_closest_marker("sanitizer")
        function = item.nodeid.split("[")[0]
        if mark and cases[function] % mark.kwargs.get("every", 1):
            item.own_markers.remove(mark)
        cases[function] += 1


def command_for(nodeid):
    """What runs one test again, from the root of the tree."""
    test = shlex.quote(nodeid)
    suite = os.environ.get("DISKSUM_SUITE")
    if suite:
        return f"tests/run.py {suite} {test}"
    return f"DISKSUM_BUILD={shlex.quote(str(BUILD))} " \
        f"{sys.executable} -m pytest {test}"


def pytest_terminal_summary(terminalreporter):
    faults = call_faults.table(
        [report for kind in ("passed", "failed")
         for report in terminalreporter.stats.get(kind, ()) if report.when == "call"])
    if faults:
        terminalreporter.section("calls that failed, of how many")
        for line in faults:
            terminalreporter.line(line)
    failed = [report.nodeid for kind in ("failed", "error")
              for report in terminalreporter.stats.get(kind, ())]
    if failed:
        terminalreporter.section("to run one again")
        for nodeid in dict.fromkeys(failed):
            terminalreporter.line(command_for(nodeid))


def kernels():
    """The SHA-256 kernels of this machine. None where nothing is built yet."""
    program = BUILD / "bench/memory"
    if not program.exists():
        return []
    done = subprocess.run([program, "--kernels"], check=True,
                          stdout=subprocess.PIPE)
    return done.stdout.decode().split()


@pytest.fixture
def build():
    """The directory of the build that is tested."""
    return BUILD


@pytest.fixture
def root():
    """The source tree."""
    return ROOT


def to_bytes(text):
    return text.encode(errors="surrogateescape") if isinstance(text, str) \
        else text


@pytest.fixture
def disksum():
    """Run disksum with arguments. The result has returncode, stdout and
    stderr, as text; check: it must succeed, and say nothing on stderr."""
    def run(*args, input=None, env=None, check=True, wrapper=(), **kwargs):
        env = {**os.environ, **(env or {})}
        if THREADS and env.get("LD_PRELOAD") != THREADS["LD_PRELOAD"]:
            env["LD_PRELOAD"] = f"{THREADS['LD_PRELOAD']} {env.get('LD_PRELOAD', '')}"
        result = subprocess.run(
            [*wrapper, BUILD / "disksum", *map(os.fspath, args)],
            input=to_bytes(input), env=env,
            stdout=kwargs.pop("stdout", subprocess.PIPE),
            stderr=kwargs.pop("stderr", subprocess.PIPE),
            timeout=120, **kwargs)
        for stream in "stdout", "stderr":
            if getattr(result, stream) is not None:
                setattr(result, stream, getattr(result, stream).decode(
                    errors="surrogateescape"))
        if check:
            assert (result.returncode, result.stderr) == (0, ""), \
                result.stderr
        return result
    return run


@pytest.fixture
def fails(disksum):
    """Run disksum, which must fail as every failure has to: exit status 1,
    nothing on stdout, one line on stderr. Returns the line."""
    def run(*args, **kwargs):
        result = disksum(*args, check=False, **kwargs)
        assert result.returncode == 1, result
        assert not result.stdout
        assert result.stderr.startswith("disksum: ")
        assert result.stderr.endswith("\n")
        assert result.stderr.count("\n") == 1
        return result.stderr[len("disksum: "):-1]
    return run


@pytest.fixture(params=["ring", "threads"])
def reads(request, disksum, tmp_path):
    """A value of DISKSUM_READS: the ways of direct reads that this kernel
    allows."""
    probe = tmp_path / "probe"
    probe.write_bytes(bytes(4096))
    result = disksum("-T", "none", probe, check=False,
                     env={"DISKSUM_READS": request.param})
    if request.param == "ring" and "cannot set up reads" in result.stderr:
        pytest.skip("this kernel refuses io_uring")
    return request.param


@pytest.fixture
def servers(tmp_path):
    """Starts NBD servers, and ends them."""
    if not shutil.which("nbdkit"):
        pytest.skip("no nbdkit")
    # The path of a socket has at most 107 bytes; below this directory some tests
    # have their own, and in that disksum makes one.
    directory = tmp_path if len(str(tmp_path)) <= 60 else \
        pathlib.Path(tempfile.mkdtemp(prefix="nbd-"))
    s = Servers(directory)
    yield s
    s.stop()
    if directory != tmp_path:
        shutil.rmtree(directory)


@pytest.fixture
def daemon():
    """Starts a qemu-storage-daemon with an image, in the current directory, and ends
    it."""
    from storage_daemon import Daemon  # which needs this file, too
    if not shutil.which("qemu-storage-daemon"):
        pytest.skip("no qemu-storage-daemon")
    started = []

    def start(*args):
        started.append(Daemon(*args))
        return started[-1]
    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def loop_device(tmp_path):
    """Make block devices: of a size, or over a file."""
    devices = []

    def make(what):
        if isinstance(what, int):
            path = tmp_path / f"backing{len(devices)}"
            with open(path, "wb") as f:
                f.truncate(what)
            what = path
        # Somebody else may take the device that was found.
        for _ in range(5):
            made = subprocess.run(
                ["losetup", "--find", "--show", what],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if made.returncode == 0:
                break
        else:
            pytest.skip("no loop devices here")
        devices.append(made.stdout.decode().strip())
        return devices[-1]
    yield make
    for device in devices:
        subprocess.run(["losetup", "--detach", device], check=True)


def sums(stdout):
    """The checksums of the lines that disksum printed."""
    return [line.lstrip("\\").split()[0] for line in stdout.splitlines()]
