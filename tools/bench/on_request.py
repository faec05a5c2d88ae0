"""Starts mini_bench so that it does one run per request, and runs can be interleaved with others."""

import json
import subprocess
import sys


class MiniBench:
    def __init__(self, arguments, env=None):
        self.process = subprocess.Popen([*map(str, arguments), "--on-request"], text=True, env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self):
        """Does one run. Returns times, memory, and the machine's peak of multiply-adds after the run."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            sys.exit(f"mini_bench ended with code {self.process.wait()}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
