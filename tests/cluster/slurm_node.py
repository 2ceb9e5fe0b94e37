# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Slurm of one node: munged, slurmctld and slurmd, with a configuration, a key, folders
and ports of their own, on the loopback interface."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

# All of a cluster, whatever the CPUs are.
SLOTS = 16

# A test that waits for a state gives up after this. It has nothing to do with how fast
# anything is.
PATIENCE = 120

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={run}/munge
StateSaveLocation={run}/state
SlurmdSpoolDir={run}/spool
SlurmctldPidFile={run}/slurmctld.pid
SlurmdPidFile={run}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
MaxArraySize=5000
KillWait=3
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={slots} RealMemory=65536 State=UNKNOWN
PartitionName=tests Nodes=node Default=YES MaxTime=INFINITE State=UP
"""


def is_installed():
    path = f"{os.environ['PATH']}:/usr/sbin"
    return all(shutil.which(name, path=path)
               for name in ("munged", "slurmctld", "slurmd", "sbatch"))


def free_ports(count):
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_for(what, condition, explain=lambda: ""):
    """Until a condition is true; returns what it gave."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen: {explain()}"
        time.sleep(0.1)
    return found


class Slurm:
    """A running cluster; stop() ends it. The paths are short, for sockets."""

    def __init__(self):
        self.run = pathlib.Path(tempfile.mkdtemp(prefix="slurm-"))
        self.processes = []
        self.environment = {
            **{name: value for name, value in os.environ.items()
               if not name.startswith(("SLURM_", "SBATCH_", "SCANCEL_", "SQUEUE_"))},
            "SLURM_CONF": str(self.run / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin"}

    def start(self):
        (self.run / "state").mkdir()
        (self.run / "spool").mkdir()
        (self.run / "key").write_bytes(os.urandom(128))
        (self.run / "key").chmod(0o400)
        control_port, node_port = free_ports(2)
        (self.run / "slurm.conf").write_text(CONFIGURATION.format(
            host=socket.gethostname().split(".")[0], control_port=control_port,
            node_port=node_port, user=subprocess.getoutput("id -un"), run=self.run,
            slots=SLOTS))
        # Others on the machine need not reach the socket, so --force.
        self.spawn("munged", "--foreground", "--force", f"--socket={self.run}/munge",
                   f"--key-file={self.run}/key", f"--pid-file={self.run}/munged.pid",
                   f"--log-file={self.run}/munged.log", f"--seed-file={self.run}/seed")
        wait_for("a socket of munged", (self.run / "munge").is_socket, self.logs)
        self.spawn("slurmctld", "-D", "-i", "-f", self.run / "slurm.conf")
        self.spawn("slurmd", "-D", "-N", "node", "-f", self.run / "slurm.conf")
        wait_for("an idle node", lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"),
                 self.logs)

    def spawn(self, *command):
        with open(self.run / f"{command[0]}.out", "wb") as out:
            self.processes.append(subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out,
                stderr=out))

    def end_jobs(self):
        """They are no children of the three processes."""
        self.ask("scancel", f"--user={os.getuid()}")
        wait_for("an end of all jobs", lambda: not self.ask("squeue", "-h"), self.logs)

    def stop(self):
        try:
            if len(self.processes) == 3:
                self.end_jobs()
        finally:
            for process in reversed(self.processes):
                process.terminate()
                process.wait()
            shutil.rmtree(self.run)

    def logs(self):
        return "".join(f"== {path.name}\n{path.read_text(errors='replace')[-4000:]}"
                       for path in sorted(self.run.glob("*.out")))

    def ask(self, *command):
        """What a command prints. It may fail while a daemon starts."""
        return subprocess.run(command, env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    # --- jobs -------------------------------------------------------------

    def submit(self, *args, environment=(), **kwargs):
        """sbatch; returns the number of the job."""
        done = subprocess.run(["sbatch", "--parsable", *map(os.fspath, args)], text=True,
                              env={**self.environment, **dict(environment)},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def state(self, job):
        """Of a job or a task, such as 7 or 7_3: COMPLETED, FAILED..."""
        found = re.search(r" JobState=(\w+)", self.ask("scontrol", "show", "job", job, "-o"))
        return found and found[1]

    def wait(self, job, *states):
        """Until a job is in a state, by default in a final one."""
        states = states or ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT")
        return wait_for(f"{job} {'/'.join(states)}",
                        lambda: (s := self.state(job)) in states and s,
                        lambda: self.ask("squeue", "-a", "-r") + self.logs())
