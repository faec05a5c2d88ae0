// Runs a thread block on one processor. Each thread runs on a fiber (with its own stack) until it
// reaches a barrier; then the next thread runs. A fiber whose thread has ended starts the next
// thread, so a kernel without barriers needs one fiber only.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sys/mman.h>
#include <vector>

#include "context.h"
#include "cuda_runtime.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define MINI_ASAN 1
#else
#define MINI_ASAN 0
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace mini::emulator {
namespace {

constexpr std::size_t stack_bytes = 256 << 10;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "cuda emulator: %s (block %u,%u,%u, thread %u,%u,%u)\n", what, blockIdx.x,
               blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
  std::abort();
}

enum class State { ready, at_block_barrier, at_warp_barrier };

struct Fiber {
  Context context{};
  void* stack = nullptr;
  unsigned thread = 0;  // index of the thread it runs
  State state = State::ready;
  bool idle = true;
  void* fake_stack = nullptr;  // used by AddressSanitizer
};

Order order = Order::rising;

class Block {
 public:
  void run(const std::function<void()>& body) {
    body_ = &body;
    threads_ = blockDim.x * blockDim.y * blockDim.z;
    started_ = finished_ = 0;
    ready_ = idle_ = 0;
    values_.resize(threads_);
    shown_.assign(2 * threads_, {});
    shows_.assign(threads_, 0);
    while (finished_ < threads_) {
      if (Fiber* const fiber = next()) {
        resume(*fiber);
      } else {
        release();
      }
    }
  }

  void wait(State state) {
    running_->state = state;
    suspend();
  }

  void exchange(const void* mine, std::size_t bytes, int from, void* result) {
    if (bytes > sizeof values_[0]) die("a value too wide to be exchanged");
    const unsigned self = running_->thread, other = self / 32 * 32 + static_cast<unsigned>(from);
    std::memcpy(&values_[self], mine, bytes);
    wait(State::at_warp_barrier);
    if (other >= threads_) die("a shuffle from a lane that does not exist");
    std::memcpy(result, &values_[other], bytes);
    wait(State::at_warp_barrier);
  }

  // There are two buffers, used in turns: the next call but one begins after all lanes have read.
  const Shown* show(const void* mine, std::size_t bytes) {
    const unsigned self = running_->thread, first = shows_[self]++ % 2 * threads_;
    if (bytes > sizeof shown_[0]) die("a value too wide to be shown");
    std::memcpy(&shown_[first + self], mine, bytes);
    wait(State::at_warp_barrier);
    return &shown_[first + self / 32 * 32];
  }

  unsigned thread() const { return running_->thread; }

 private:
  // A fiber whose thread can continue, or one for a thread that has not begun.
  Fiber* next() {
    for (; ready_ < fibers_.size(); ++ready_)
      if (!fibers_[ready_]->idle && fibers_[ready_]->state == State::ready)
        return fibers_[ready_].get();
    if (started_ == threads_) return nullptr;
    if (idle_ < fibers_.size()) return fibers_[idle_++].get();
    ++idle_;
    fibers_.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *fibers_.back();
    fiber.stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fiber.stack == MAP_FAILED) die("no memory for a stack");
    prepare(fiber.context, fiber.stack, stack_bytes, &Block::enter);
    return &fiber;
  }

  // All threads wait. Releases those whose warp, or whose block, has reached the barrier
  // completely.
  void release() {
    ready_ = 0;
    std::array<unsigned, 32> waiting{};  // lanes of each warp
    for (const auto& fiber : fibers_)
      if (!fiber->idle && fiber->state == State::at_warp_barrier) ++waiting[fiber->thread / 32];
    bool any = false;
    for (unsigned warp = 0; warp * 32 < threads_; ++warp) {
      if (waiting[warp] > 0 && waiting[warp] != std::min(32u, threads_ - warp * 32))
        die("a warp barrier that not every lane reaches");
      any = any || waiting[warp] > 0;
    }
    for (const auto& fiber : fibers_)
      if (!fiber->idle && waiting[fiber->thread / 32] > 0) fiber->state = State::ready;
    if (any) return;
    if (finished_ > 0) die("a block barrier that not every thread reaches");
    for (const auto& fiber : fibers_)
      if (!fiber->idle) fiber->state = State::ready;
  }

  void resume(Fiber& fiber) {
    running_ = &fiber;
    if (!fiber.idle) place(fiber.thread);
#if MINI_ASAN
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, fiber.stack, stack_bytes);
#endif
    change(main_, fiber.context);
#if MINI_ASAN
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  }

  void suspend() {
    Fiber& fiber = *running_;
#if MINI_ASAN
    __sanitizer_start_switch_fiber(&fiber.fake_stack, main_stack_, main_stack_bytes_);
#endif
    change(fiber.context, main_);
#if MINI_ASAN
    __sanitizer_finish_switch_fiber(fiber.fake_stack, nullptr, nullptr);
#endif
  }

  static void enter();

  void work() {
    Fiber& fiber = *running_;
#if MINI_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &main_stack_, &main_stack_bytes_);
#endif
    while (true) {
      while (started_ < threads_) {
        const unsigned thread = order == Order::rising ? started_ : threads_ - 1 - started_;
        ++started_;
        fiber.idle = false;
        fiber.thread = thread;
        place(thread);
        (*body_)();
        ++finished_;
        fiber.idle = true;
      }
      suspend();
    }
  }

  static void place(unsigned thread) {
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y,
                 thread / blockDim.x / blockDim.y};
  }

  const std::function<void()>* body_ = nullptr;
  unsigned threads_ = 0, started_ = 0, finished_ = 0;
  std::size_t ready_ = 0, idle_ = 0;  // fibers below this index were looked at
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<std::array<std::uint64_t, 4>> values_;  // shown to the warp
  std::vector<Shown> shown_;
  std::vector<unsigned> shows_;
  Fiber* running_ = nullptr;
  Context main_{};
  [[maybe_unused]] const void* main_stack_ = nullptr;
  [[maybe_unused]] std::size_t main_stack_bytes_ = 0;
};

Block& block() {
  static auto& only = *new Block;
  return only;
}

void Block::enter() { block().work(); }

}  // namespace

void set_order(Order wanted) { order = wanted; }
void block_barrier() { block().wait(State::at_block_barrier); }
void warp_barrier() { block().wait(State::at_warp_barrier); }
void exchange(const void* mine, std::size_t bytes, int from, void* result) {
  block().exchange(mine, bytes, from, result);
}
const Shown* show(const void* mine, std::size_t bytes) { return block().show(mine, bytes); }
int lane() { return static_cast<int>(block().thread() % 32); }
void run_block(const std::function<void()>& body) { block().run(body); }

}  // namespace mini::emulator
