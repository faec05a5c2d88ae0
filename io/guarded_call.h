// How libjpeg and libpng are called from C++.
//
// Both report an error by calling a function that must not return. The usual way out is longjmp,
// which in C++ is defined only if it skips no destructor. So they are called through guarded()
// alone, with functions that hold nothing to destroy; tensors, buffers and the libraries' own
// structures live outside.
#pragma once

#include <csetjmp>
#include <cstdio>
#include <string_view>

#include "tensor/error.h"

namespace mini::io {

struct WayOut {
  std::jmp_buf buffer{};
  char text[256] = {};

  // Called where the library has reported an error.
  [[noreturn]] void leave() { std::longjmp(buffer, 1); }
  [[noreturn]] void leave(std::string_view reason) {
    std::snprintf(text, sizeof(text), "%.*s", static_cast<int>(reason.size()), reason.data());
    leave();
  }
};

// Runs f; an error of the library inside it arrives here and becomes an Error. Not inlined, so that
// setjmp meets no caller's variable in a register.
template <class F>
[[gnu::noinline]] void guarded(WayOut& out, const F& f) {
  if (setjmp(out.buffer) != 0) throw Error(out.text);
  f();
}

}  // namespace mini::io
