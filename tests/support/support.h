// What tests share: comparing tensors, finding the material outside the checkout.
#pragma once

#include <filesystem>
#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "tensor/tensor.h"

namespace mini::test {

// Under AddressSanitizer freed memory is not kept for reuse, and address space is scarce.
#if defined(__SANITIZE_ADDRESS__)  // gcc
constexpr bool address_sanitizer = true;
#elif defined(__has_feature)  // clang
constexpr bool address_sanitizer = __has_feature(address_sanitizer);
#else
constexpr bool address_sanitizer = false;
#endif

// max |a - b| / max(|b|), over all elements; infinity when a value is not finite.
double relative_error(const Tensor& a, const Tensor& b);
double max_difference(const Tensor& a, const Tensor& b);
bool equal_bits(const Tensor& a, const Tensor& b);

// ../shared beside the checkout, or MINI_SHARED. Tests that need it skip with a message otherwise.
std::optional<std::filesystem::path> shared_folder();
// shared/golden, or MINI_GOLDEN.
std::optional<std::filesystem::path> golden_folder();

// Where tests compute that run on any device: the CPU, or what MINI_TEST_DEVICE says.
Device device();
Tensor on_device(const Tensor& x);

// A fresh folder, removed with its content at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Runs f and returns the text of the Error it throws; fails the test when it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "expected mini::Error";
  return {};
}

}  // namespace mini::test
