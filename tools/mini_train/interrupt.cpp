#include "tools/mini_train/interrupt.h"

#include <csignal>

namespace mini {
namespace {

// Ctrl-C; the end of a job or a container; the end of the terminal; what job schedulers send some time
// before they end a job.
constexpr int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

volatile std::sig_atomic_t noted = 0;

// A signal that was ignored from the start stays so: nohup does that, and shells for background jobs.
void handle(void (*from)(int), void (*to)(int)) {
  for (const int number : signals) {
    const auto before = std::signal(number, to);
    if (before != from) std::signal(number, before);
  }
}

// Only what POSIX lets a handler do: set a flag, call signal().
void note(int number) {
  noted = number;
  handle(note, SIG_DFL);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  noted = 0;
  handle(SIG_DFL, note);
}

InterruptGuard::~InterruptGuard() { handle(note, SIG_DFL); }

int InterruptGuard::signal() { return noted; }

}  // namespace mini
