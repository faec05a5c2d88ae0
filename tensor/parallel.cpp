// The pool of threads. A job is a number of chunks; whoever is free claims the next one, the calling
// thread included, so a job ends also when no worker ever wakes up. A thread that waits spins for
// some ten microseconds, the time between two jobs of a training step, and then sleeps: spinning longer
// would take the processor from threads that work, where there are more threads than processors.
#include "tensor/parallel.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

#include "tensor/error.h"
#include "tensor/limits.h"

namespace mini {
namespace {

thread_local bool inside_a_body = false;
thread_local int thread_limit = 0;  // 0: the default
thread_local bool has_short_turns = false;

// A positive number in an environment variable, or 0.
int number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  const int number = text == nullptr ? 0 : std::atoi(text);
  return std::max(number, 0);
}

int default_threads() {
  static const int count = [] {
    for (const char* variable : {"MINI_NUM_THREADS", "OMP_NUM_THREADS"})
      if (const int number = number_in(variable); number > 0) return number;
    return allowed_processors();
  }();
  return count;
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Waits until `ready()`, for some ten microseconds at most.
template <class Ready>
bool spin(int rounds, const Ready& ready) {
  for (int i = 0; i < rounds; ++i) {
    if (ready()) return true;
    pause();
  }
  return ready();
}

// Asks the scheduler to run this thread in short turns, 0.1 ms instead of some 3 ms (Linux 6.12 and
// later, sched_setattr(2); ignored by older ones). Its share of the processor stays the same. But a
// thread that wakes up then gets its turn at once, so that on a busy machine the threads of a job run
// at the same time: with long turns each of them waits, again and again, for one whose turn is over.
void ask_for_short_turns() {
#ifdef SYS_sched_setattr
  struct Attributes {  // sched_attr of the kernel; glibc declares it from 2.41 on
    std::uint32_t size = sizeof(Attributes), policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;  // nanoseconds
  } attributes;
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH) return;
  attributes.size = sizeof attributes;
  attributes.runtime = 100'000;
  syscall(SYS_sched_setattr, 0, &attributes, 0);  // works without it, too
#endif
}

class Pool {
 public:
  void run(std::int64_t chunks, int threads, void (*call)(const void*, std::int64_t),
           const void* body) {
    const std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner.owns_lock()) {
      for (std::int64_t i = 0; i < chunks; ++i) call(body, i);
      return;
    }
    if (!has_short_turns) ask_for_short_turns();
    has_short_turns = true;
    start_workers(threads - 1);
    call_ = call;
    body_ = body;
    error_ = nullptr;
    failed_.store(false, std::memory_order_relaxed);
    unfinished_.store(static_cast<std::uint32_t>(chunks), std::memory_order_relaxed);
    const int rounds = threads > processors_ ? 0 : spin_rounds;
    spin_rounds_.store(rounds, std::memory_order_relaxed);
    work_.store({.next = 0,
                 .chunks = static_cast<std::uint64_t>(chunks),
                 .workers = static_cast<std::uint64_t>(threads - 1)});
    if (sleepers_.load() > 0) {
      ++alarm_;
      alarm_.notify_all();
    }
    while (take_chunk(0)) {
    }
    if (!spin(rounds, [&] { return unfinished_.load() == 0; }))
      for (std::uint32_t left = 0; (left = unfinished_.load()) > 0;) unfinished_.wait(left);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  // What is left to claim. It changes as one value, so that a claim always belongs to one job.
  struct Work {
    std::uint64_t next : 24, chunks : 24, workers : 16;
  };
  static constexpr int spin_rounds = 400;  // of `pause`: 10 microseconds on a Zen 4

  bool has_work_for(std::uint64_t worker) const {
    const Work work = work_.load();
    return work.next < work.chunks && worker <= work.workers;
  }

  // Claims a chunk and runs it. The job stays alive meanwhile, because its caller waits for all
  // claimed chunks. Worker 0 is the caller.
  bool take_chunk(std::uint64_t worker) {
    Work work = work_.load();
    Work rest{};
    do {
      if (work.next >= work.chunks || worker > work.workers) return false;
      rest = work;
      rest.next = work.next + 1;
    } while (!work_.compare_exchange_weak(work, rest));
    if (!failed_.load(std::memory_order_relaxed)) {
      inside_a_body = true;
      try {
        call_(body_, static_cast<std::int64_t>(work.next));
      } catch (...) {
        if (!failed_.exchange(true)) error_ = std::current_exception();
      }
      inside_a_body = false;
    }
    if (unfinished_.fetch_sub(1) == 1) unfinished_.notify_one();
    return true;
  }

  void work_forever(std::uint64_t worker) {
    for (;;) {
      const std::uint32_t alarm = alarm_.load();
      if (spin(spin_rounds_.load(), [&] { return has_work_for(worker); })) {
        while (take_chunk(worker)) {
        }
        continue;
      }
      // Either the caller of a new job sees a sleeper and raises the alarm, or the worker sees the
      // job before it sleeps.
      ++sleepers_;
      if (!has_work_for(worker)) alarm_.wait(alarm);
      --sleepers_;
    }
  }

  // Workers end with the process. Signals are for the other threads, which handle them.
  void start_workers(int count) {
    if (workers_ >= count) return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      while (workers_ < count) {
        std::thread([this, worker = static_cast<std::uint64_t>(workers_) + 1] {
          ask_for_short_turns();
          work_forever(worker);
        }).detach();
        ++workers_;
      }
    } catch (const std::system_error&) {  // no more threads: those that there are do the work
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  const int processors_ = allowed_processors();
  std::mutex owner_;  // held by the thread whose job it is
  int workers_ = 0;
  void (*call_)(const void*, std::int64_t) = nullptr;
  const void* body_ = nullptr;
  std::exception_ptr error_;
  std::atomic<bool> failed_ = false;
  std::atomic<int> spin_rounds_ = spin_rounds;
  std::atomic<std::uint32_t> unfinished_ = 0;  // chunks of the job
  std::atomic<int> sleepers_ = 0;
  std::atomic<std::uint32_t> alarm_ = 0;  // what sleepers wait on
  std::atomic<Work> work_{};
};

// Never destroyed: workers use it as long as the process lives. A forked child has no workers and
// begins with a pool of its own.
std::atomic<Pool*> pool = nullptr;

Pool& current_pool() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { pool = nullptr; });
  (void)registered;
  Pool* current = pool.load();
  if (current == nullptr) {
    auto* const fresh = new Pool;
    if (pool.compare_exchange_strong(current, fresh))
      current = fresh;
    else
      delete fresh;  // another thread was quicker
  }
  return *current;
}

}  // namespace

int max_threads() {
  if (inside_a_body) return 1;
  return thread_limit > 0 ? thread_limit : default_threads();
}

void set_threads(int count) { thread_limit = std::max(count, 1); }

void detail::run_chunks(std::int64_t chunks, int threads,
                        void (*call)(const void* body, std::int64_t i), const void* body) {
  check(chunks <= most_chunks, "parallel: ", chunks, " chunks are more than ", most_chunks);
  current_pool().run(chunks, threads, call, body);
}

}  // namespace mini
