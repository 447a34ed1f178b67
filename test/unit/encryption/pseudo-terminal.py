"""Runs a command at a terminal of its own and types at it.

usage: pseudo-terminal.py STEPS COMMAND...
STEPS is JSON: [[text to wait for, text to type], ...]; `SIGTERM` is sent instead of typed. Prints JSON: what the screen
showed, the exit code, whether the terminal echoed while it was asked, and whether it does again at the end.
PIPE_STDIN: stdin is a pipe with this text. NO_SESSION: stdin and stderr are the terminal, but /dev/tty is not.
"""
import fcntl, json, os, pty, select, signal, subprocess, sys, termios, time

steps = json.loads(sys.argv[1])
master, slave = pty.openpty()


def echoes():
    return bool(termios.tcgetattr(slave)[3] & termios.ECHO)


def own_terminal():
    os.setsid()
    if "NO_SESSION" not in os.environ:
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


child = subprocess.Popen(
    sys.argv[2:],
    stdin=subprocess.PIPE if "PIPE_STDIN" in os.environ else slave,
    stdout=subprocess.PIPE,
    stderr=slave if "NO_SESSION" in os.environ else subprocess.PIPE,
    preexec_fn=own_terminal,
    pass_fds=[slave],
)
if child.stdin:
    child.stdin.write(os.environ["PIPE_STDIN"].encode())
    child.stdin.close()
    child.stdin = None

screen, echoed, searched = b"", [], 0
deadline = time.time() + 30
while time.time() < deadline:
    if select.select([master], [], [], 0.05)[0]:
        screen += os.read(master, 4096)
    elif child.poll() is not None:
        break
    if steps and steps[0][0].encode() in screen[searched:]:
        searched = len(screen)
        echoed.append(echoes())
        typed = steps.pop(0)[1]
        if typed == "SIGTERM":
            child.send_signal(signal.SIGTERM)
        else:
            os.write(master, typed.encode())
child.kill()
stdout, stderr = child.communicate()
print(json.dumps({
    "screen": screen.decode(), "stdout": stdout.decode(), "stderr": (stderr or b"").decode(), "code": child.returncode,
    "echoedWhileAsking": echoed, "echoesAtTheEnd": echoes(), "stepsLeft": len(steps),
}))
