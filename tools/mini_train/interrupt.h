// Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 as a question that the training loop asks between steps.
#pragma once

namespace mini {

// While it lives, the first of these signals is only noted; the second ends the process as usual.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // The number of the signal that came, or 0.
  static int signal();
};

}  // namespace mini
