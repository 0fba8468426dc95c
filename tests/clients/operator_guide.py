"""The steps of systemd/README.md from a fresh installation to a public server, done in a shell as they stand there."""

import os
import re
import subprocess
import tempfile
import threading
import unittest

from daemon import GUARD, Daemon

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../systemd/README.md")
SECTION = re.compile(r"^## A public server, step by step\n(.*?)^## ", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```(?:sh|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
END = "=== end of the step, with code "


class Shell:
    """One shell for all steps, as the operator has it."""

    def __init__(self):
        path = os.path.dirname(os.path.abspath(os.environ["TICKERD_BIN"])) + os.pathsep + os.environ["PATH"]
        env = {**os.environ, "PATH": path, "no_proxy": "*"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(["bash"], env=env, text=True, **pipes)
        self.guard = threading.Timer(GUARD, self.process.kill)
        self.guard.start()

    def do(self, commands):
        """What the commands print; the last must end well."""
        self.process.stdin.write(f"{commands}\necho; echo '{END}'$?\n")
        self.process.stdin.flush()
        said = ""
        for line in self.process.stdout:
            if line.startswith(END):
                assert line.strip() == f"{END}0", said
                return said
            said += line
        raise AssertionError(f"the shell ended: {said}")

    def close(self):
        self.guard.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Guide(unittest.TestCase):
    def test_its_steps_lead_to_a_public_server_and_a_revoked_user(self):
        with open(GUIDE) as guide:
            (section,) = SECTION.findall(guide.read())
        folder = self.enterContext(tempfile.TemporaryDirectory())
        blocks = [block.replace("/etc/tickerd", folder) for block in BLOCK.findall(section)]
        self.assertEqual(len(blocks), 7)
        certificate, tokens, issuer, configuration, start, connect, revoke = blocks
        shell = Shell()
        self.addCleanup(shell.close)
        for commands in (certificate, tokens, issuer):
            shell.do(commands)
        # The ports are free ones, and no other machine reaches them.
        for address in ("127.0.0.1:8425", "0.0.0.0:8443"):
            self.assertIn(address, configuration)
            configuration = configuration.replace(address, "127.0.0.1:0")
        configuration = configuration.replace("[server]\n", '[server]\nadmin = "127.0.0.1:0"\n')
        with open(os.path.join(folder, "tickerd.toml"), "w") as file:
            file.write(configuration)
        # There is neither the user nor the unit here.
        check = re.search(r"tickerd check \S+", start)
        self.assertIn(": ok", shell.do(check[0]))
        daemon = Daemon()
        daemon.config = configuration
        self.enterContext(daemon)
        port = re.search(r"https://127\.0\.0\.1:(\d+)/", daemon.process.stdout.readline())[1]
        shell.do(f"export XDG_RUNTIME_DIR={daemon.env['XDG_RUNTIME_DIR']}")
        first = f"https://127.0.0.1:{port}/v1/topics/sim.AAPL?wait=20"
        shell.do(f'curl -sS --fail --cacert tls/chain.pem -H "Authorization: Bearer $(cat secrets/wall)" "{first}"')
        answers = shell.do(connect.replace("8443", port))
        wanted = ['"topic":"sim.AAPL"', '"status":403', '"seq":1}', '"from":"user:desk-bot"', '"value":"hello"', '"status":403']
        at = 0
        for text in wanted:
            at = answers.find(text, at)
            self.assertGreaterEqual(at, 0, f"{text} is not there, or not in its place: {answers}")
            at += len(text)
        answers = shell.do(revoke.replace("8443", port))
        self.assertIn("revoked", answers)
        self.assertIn('"status":401', answers)
        self.assertIn("token_revoked", answers)


if __name__ == "__main__":
    unittest.main()
