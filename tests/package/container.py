"""A Debian with a systemd of its own, in namespaces of its own: users, mounts, processes, network. Nothing of this machine's is seen or touched."""

import os
import shutil
import subprocess
import time

# What the operator's guide takes for granted, and nothing that brings a daemon.
PACKAGES = "systemd,systemd-sysv,dbus,curl,openssl,ca-certificates,sudo"
GUARD = 120
CGROUPS = "/sys/fs/cgroup"


def base(folder):
    """The tree that every container begins with, from the sources of this machine's apt."""
    tar = os.path.join(folder, "base.tar")
    if not os.path.exists(tar):
        make = ["mmdebstrap", "--format=tar", "--variant=minbase", f"--include={PACKAGES}", "--aptopt=APT::Install-Recommends \"false\""]
        subprocess.run([*make, codename(), tar + ".part"], check=True, env={**os.environ, "TMPDIR": folder})
        os.rename(tar + ".part", tar)
    return tar


def codename():
    with open("/etc/os-release") as release:
        return next(line.split("=")[1].strip() for line in release if line.startswith("VERSION_CODENAME="))


def until(what, condition, seconds=GUARD):
    """The first answer of the condition that counts as true."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def command(pid):
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().strip()
    except OSError:
        return None


class NoBoot(Exception):
    """This machine lets no bare Debian boot."""


class Container:
    def __init__(self, folder):
        self.leader = None
        try:
            self.boot(folder)
        except (AssertionError, OSError, subprocess.SubprocessError) as why:
            self.close()
            raise NoBoot(why) from why

    def boot(self, folder):
        self.spawn, self.groups = None, []
        self.log = open(os.path.join(folder, "boot.log"), "w+")
        self.root = os.path.join(folder, "root")
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        subprocess.run(["tar", "-C", self.root, "-xf", base(folder)], check=True)
        self.name = f"tickerd-test-{os.getpid()}"
        # A group of its own, since systemd expects to be alone in the one where it starts.
        self.groups = [os.path.join(CGROUPS, part, self.name) for part in ("", "systemd", "unified")]
        self.groups = [group for group in self.groups if os.path.exists(os.path.join(os.path.dirname(group), "cgroup.procs"))]
        enter = "".join(f"mkdir -p {group} && echo $$ >{group}/cgroup.procs; " for group in self.groups)
        # nspawn's own notes about its containers stay in these namespaces too.
        script = f"{enter} mount -t tmpfs tmpfs /run && exec systemd-nspawn --quiet --boot --directory={self.root} --machine={self.name} \
            --private-users=pick --private-users-ownership=chown --private-network --register=no --keep-unit --console=pipe"
        self.spawn = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT
        )
        self.leader = until("the container's first process", self.find_leader)
        until("systemd to be up", lambda: self.run("systemctl is-system-running", check=False) in ("running", "degraded"))

    def find_leader(self):
        assert self.spawn.poll() is None, f"the container ended: {open(self.log.name).read()}"
        # Before it there are helpers of nspawn's own.
        with open(f"/proc/{self.spawn.pid}/task/{self.spawn.pid}/children") as children:
            return next((child for child in children.read().split() if command(child) == "systemd"), None)

    def enter(self, command):
        """The arguments that have the shell of the container do it."""
        return ["nsenter", "--target", self.leader, "--all", "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "bash", "-c", command]

    def run(self, command, check=True, seconds=GUARD):
        """What it prints, on both streams."""
        done = subprocess.run(self.enter(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
        said = done.stdout.decode(errors="replace").strip()
        assert not check or done.returncode == 0, f"{command}: exit code {done.returncode}: {said}"
        return said

    def fails(self, command):
        """What it prints, after a code that is not 0."""
        done = subprocess.run(self.enter(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=GUARD)
        said = done.stdout.decode(errors="replace").strip()
        assert done.returncode != 0, f"{command}: {said}"
        return said

    def write(self, path, text):
        subprocess.run(self.enter(f"cat >{path}"), input=text.encode(), check=True, timeout=GUARD)

    def copy(self, file, folder="/root"):
        path = f"{folder}/{os.path.basename(file)}"
        with open(file, "rb") as content:
            subprocess.run(self.enter(f"cat >{path}"), stdin=content, check=True, timeout=GUARD)
        return path

    def network(self, command):
        """The arguments that run a program of this machine in the network of the container."""
        return ["nsenter", "--target", self.leader, "--net", *command]

    def show(self, property, unit="tickerd"):
        return self.run(f"systemctl show --value --property={property} {unit}")

    def close(self):
        if self.spawn and self.spawn.poll() is None:
            os.kill(int(self.leader or self.spawn.pid), 9)
            try:
                self.spawn.wait(30)
            except subprocess.TimeoutExpired:
                self.spawn.kill()
                self.spawn.wait()
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)
        for group in self.groups:
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
