// The one exception type of mini, and the functions that throw it.
//
// A message names the operation, the operands and the remedy:
//   conv2d: input has 5 channels, weight expects 4 (x=[1,5,9,9], w=[8,4,3,3])
// It may quote a file, so it is made printable (tensor/text.h): one line, no control characters.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "tensor/text.h"

namespace mini {

class Error : public std::runtime_error {
 public:
  static constexpr std::size_t longest = 4000;  // bytes
  explicit Error(const std::string& text) : std::runtime_error(printable(text, longest)) {}
};

// The parts, streamed one after the other into a string.
template <class... Parts>
std::string concat_text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(concat_text(parts...));
}

// Throws Error unless `ok`. The message is put together only on failure, so a check costs one
// branch.
template <class... Parts>
inline void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(parts...);
}

}  // namespace mini
