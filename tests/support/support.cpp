#include "tests/support/support.h"

#include <cmath>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <random>
#include <regex>

#include "tensor/view.h"

namespace mini::test {
namespace fs = std::filesystem;

double max_difference(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "max_difference: shapes ", a.shape(), " and ", b.shape());
  const auto x = a.to_vector(), y = b.to_vector();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i]))
      return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(x[i] - y[i]));
  }
  return worst;
}

double relative_error(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (const double value : b.to_vector()) largest = std::max(largest, std::abs(value));
  const double difference = max_difference(a, b);
  return difference == 0 ? 0 : difference / largest;
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor x = ops::contiguous(ops::to_device(a, {})),
               y = ops::contiguous(ops::to_device(b, {}));
  return std::equal(x.raw_data(), x.raw_data() + x.bytes(), y.raw_data());
}

std::optional<fs::path> shared_folder() {
  const char* named = std::getenv("MINI_SHARED");
  const fs::path folder =
      named != nullptr ? fs::path(named) : fs::path(MINI_SOURCE_DIR).parent_path() / "shared";
  if (!fs::exists(folder / "README.md")) return std::nullopt;
  return folder;
}

std::optional<fs::path> golden_folder() {
  if (const char* named = std::getenv("MINI_GOLDEN")) return fs::path(named);
  const auto shared = shared_folder();
  if (!shared || !fs::exists(*shared / "golden")) return std::nullopt;
  return *shared / "golden";
}

Device device() {
  const char* const named = std::getenv("MINI_TEST_DEVICE");
  return named != nullptr ? parse_device(named) : Device{};
}

Tensor on_device(const Tensor& x) { return ops::to_device(x, device()); }

TemporaryFolder::TemporaryFolder()
    : path_(fs::temp_directory_path() / ("mini_test_" + std::to_string(std::random_device{}()))) {
  fs::create_directories(path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string without_times(const std::string& log) {
  static const std::regex time(R"(,"cpu_seconds":[0-9.e+-]+)");
  return std::regex_replace(log, time, "");
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace mini::test
