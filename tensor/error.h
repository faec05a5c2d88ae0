// The one exception type of mini, and the functions that throw it.
//
// A message names the operation, the operands and the remedy:
//   conv2d: input has 5 channels, weight expects 4 (x=[1,5,9,9], w=[8,4,3,3])
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace mini {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
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
