"""keeper.py SECONDS PATIENCE COMMAND...: starts a command, kills it after so many seconds (never, where they are 0), and waits until
all that it had started has ended: orphans become children of this process, so none escapes it. Prints "ended CODE" or "killed",
and what had to be waited for longer than PATIENCE seconds. With KEEPER_GROUP=1 its process group is killed at once, not it alone."""

import ctypes, os, signal, subprocess, sys, time

after, patience, command = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
try:
    code = child.wait(after or None)
    print("ended", code)
except subprocess.TimeoutExpired:
    (os.killpg if os.environ.get("KEEPER_GROUP") else os.kill)(child.pid, signal.SIGKILL)
    child.wait()
    print("killed")
sys.stdout.flush()
limit = time.monotonic() + patience
while time.monotonic() < limit:
    try:
        if os.waitpid(-1, os.WNOHANG)[0] == 0:
            time.sleep(0.01)
    except ChildProcessError:
        sys.exit(0)
for name in os.listdir("/proc"):
    try:
        fields = open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()
        if int(fields[1]) == os.getpid():
            print("alive", name, open(f"/proc/{name}/cmdline").read().replace("\0", " "))
            os.kill(int(name), signal.SIGKILL)
    except (OSError, IndexError):
        pass
