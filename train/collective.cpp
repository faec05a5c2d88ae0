// See train/collective.h.
#include "train/collective.h"

#include <algorithm>
#include <array>

namespace mini::train {
namespace {

class SingleProcess : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void start_all_reduce(const Tensor& /*values*/) override {}
  void poll() override {}
  void wait() override {}
  void broadcast(const Tensor& /*values*/) override {}
  std::vector<double> all_gather(std::span<const double> values) override {
    return {values.begin(), values.end()};
  }
  void barrier() override {}
};

}  // namespace

Collective& single_process() {
  static SingleProcess alone;
  return alone;
}

// All processes add in the order of ranks.
std::vector<double> Collective::all_reduce(std::span<const double> values) {
  const std::vector<double> all = all_gather(values);
  std::vector<double> sums(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(values.size()));
  for (std::size_t i = values.size(); i < all.size(); ++i) sums[i % values.size()] += all[i];
  return sums;
}

bool Collective::any(bool value) { return all_reduce(std::array{value ? 1.0 : 0.0}).front() > 0; }

std::string Collective::broadcast_text(const std::string& text) {
  if (size() == 1) return text;
  const auto length = all_gather(std::array{static_cast<double>(text.size())}).front();
  const Tensor bytes = Tensor::zeros({static_cast<std::int64_t>(length)}, DType::uint8);
  if (rank() == 0) std::copy(text.begin(), text.end(), bytes.data<std::uint8_t>());
  broadcast(bytes);
  const std::uint8_t* const first = bytes.data<std::uint8_t>();
  return {first, first + bytes.numel()};
}

}  // namespace mini::train
