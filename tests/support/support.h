// What tests share: comparisons of tensors, and paths of the material outside the repository.
#pragma once

#include <filesystem>
#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "tensor/tensor.h"

namespace mini::test {

// Under AddressSanitizer the allocator does not pool memory, and address space is scarce.
#if defined(__SANITIZE_ADDRESS__)  // gcc
constexpr bool address_sanitizer = true;
#elif defined(__has_feature)  // clang
constexpr bool address_sanitizer = __has_feature(address_sanitizer);
#else
constexpr bool address_sanitizer = false;
#endif

// max |a - b| / max |b| over all elements; infinity if a value is not finite.
double relative_error(const Tensor& a, const Tensor& b);
double max_difference(const Tensor& a, const Tensor& b);
bool equal_bits(const Tensor& a, const Tensor& b);

// The folder ../shared beside the repository, or MINI_SHARED. Tests skip, with a message, without
// it.
std::optional<std::filesystem::path> shared_folder();
// shared/golden, or MINI_GOLDEN.
std::optional<std::filesystem::path> golden_folder();

// The device for tests that run on any device: MINI_TEST_DEVICE, or else the CPU.
Device device();
Tensor on_device(const Tensor& x);

// A new folder, which the destructor removes with its content.
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

// Returns the text of the Error that f throws; fails the test if f throws none.
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

// Processor time of this process in seconds, for tests of how long something may take: unlike the
// clock it does not depend on what else the machine does.
double cpu_seconds();
// The log of a run without the processor times, which no two runs share.
std::string without_times(const std::string& log);
// By what a limit of such a test is multiplied: the sanitizer build is not optimised.
inline constexpr double time_factor = address_sanitizer ? 4 : 1;

}  // namespace mini::test
