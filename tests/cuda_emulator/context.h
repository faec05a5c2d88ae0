// Going from one stack to another. The C library's swapcontext makes two system calls to do so, and
// AddressSanitizer clears the whole stack on the way; kernels whose warps work together change stacks
// millions of times.
#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace mini::emulator {

#if defined(__x86_64__)

// A stack that was left: where its registers lie.
struct Context {
  void* stack_pointer = nullptr;
};

// Keeps on the stack what a function must preserve (System V ABI), leaves it, and takes up the other.
[[gnu::naked, gnu::noinline]] inline void change_stack(void** /*left*/, void* /*taken*/) {
  asm volatile(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
}

inline void change(Context& from, Context& to) {
  change_stack(&from.stack_pointer, to.stack_pointer);
}

// `start`, which must not return, begins when the context is first taken up.
inline void prepare(Context& context, void* stack, std::size_t bytes, void (*start)()) {
  // From the top: no return address (a function begins 8 bytes off a multiple of 16), where to
  // return to, six registers.
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
