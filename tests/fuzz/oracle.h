// What the fuzzers demand beyond "no sanitizer complains": reading the same bytes twice gives the same,
// also with a failure in between, and what is written is read back.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <unistd.h>

#include "io/file.h"
#include "io/safetensors.h"
#include "tensor/error.h"

namespace mini::fuzz {

inline void demand(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "oracle: %s\n", what);
  std::abort();
}

// A copy of its own, so that AddressSanitizer sees the end. None of what `read` throws but Error is
// caught.
template <class Read>
auto attempt(std::span<const std::byte> bytes, const Read& read)
    -> std::optional<decltype(read(bytes))> {
  const io::Bytes copy(bytes.begin(), bytes.end());
  try {
    return read(std::span(copy));
  } catch (const Error&) {
    return std::nullopt;
  }
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.raw_data(), b.raw_data(), a.bytes()) == 0);
}

inline bool same(const io::TensorFile& a, const io::TensorFile& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (const auto& [name, tensor] : a.tensors) {
    const auto found = b.tensors.find(name);
    if (found == b.tensors.end() || !same_bits(tensor, found->second)) return false;
  }
  return true;
}

// Whole, cut off, whole again.
template <class Read, class Same>
auto read_steadily(std::span<const std::byte> bytes, const Read& read, const Same& same) {
  auto first = attempt(bytes, read);
  attempt(bytes.first(bytes.size() / 2), read);
  const auto second = attempt(bytes, read);
  demand(first.has_value() == second.has_value(), "the same bytes are read once and refused once");
  demand(!first || same(*first, *second), "the same bytes give two results");
  return first;
}

// A file for round trips; each process has its own.
inline std::filesystem::path scratch_file() {
  return std::filesystem::temp_directory_path() / concat_text("mini_fuzz_", getpid());
}

}  // namespace mini::fuzz
