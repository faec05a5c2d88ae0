// Switching between stacks. The C library's swapcontext makes two system calls, and
// AddressSanitizer clears the whole stack in it. Kernels whose warps cooperate switch millions of
// times.
#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace mini::emulator {

#if defined(__x86_64__)

// A suspended stack. Its registers are saved at the stack pointer.
struct Context {
  void* stack_pointer = nullptr;
};

// Saves the registers that a function must preserve (System V ABI) on the stack, and switches
// stacks.
[[gnu::naked, gnu::noinline]] inline void change_stack(void** /*left*/, void* /*taken*/) {
  asm volatile(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
}

inline void change(Context& from, Context& to) {
  change_stack(&from.stack_pointer, to.stack_pointer);
}

// Prepares a context that calls `start`, which must not return, when it is first switched to.
inline void prepare(Context& context, void* stack, std::size_t bytes, void (*start)()) {
  // From the top of the stack: a zero (so that the function begins 8 bytes off a multiple of 16, as
  // after a call), the return address, six registers.
  auto* const top = reinterpret_cast<std::uintptr_t*>(static_cast<std::byte*>(stack) + bytes);
  top[-1] = 0;
  top[-2] = reinterpret_cast<std::uintptr_t>(start);
  for (int i = 3; i <= 8; ++i) top[-i] = 0;
  context.stack_pointer = top - 8;
}

#else

struct Context {
  ucontext_t context{};
};

inline void change(Context& from, Context& to) { swapcontext(&from.context, &to.context); }

inline void prepare(Context& context, void* stack, std::size_t bytes, void (*start)()) {
  getcontext(&context.context);
  context.context.uc_stack.ss_sp = stack;
  context.context.uc_stack.ss_size = bytes;
  context.context.uc_link = nullptr;
  makecontext(&context.context, start, 0);
}

#endif

}  // namespace mini::emulator
