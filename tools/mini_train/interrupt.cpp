#include "tools/mini_train/interrupt.h"

#include <csignal>

namespace mini {
namespace {

volatile std::sig_atomic_t noted = 0;

void reset() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

// Only what POSIX lets a handler do: set a flag, call signal().
void note(int number) {
  noted = number;
  reset();
}

}  // namespace

InterruptGuard::InterruptGuard() {
  noted = 0;
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
}

InterruptGuard::~InterruptGuard() { reset(); }

int InterruptGuard::signal() { return noted; }

}  // namespace mini
