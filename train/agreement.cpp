// See train/agreement.h.
#include "train/agreement.h"

#include <array>
#include <functional>
#include <string_view>

#include "tensor/view.h"

namespace mini::train {
namespace {

// A hash of as many bits as a double holds.
double hash_of(const Tensors& tensors) {
  std::uint64_t hash = 0;
  for (const Tensor& tensor : tensors) {
    const Tensor values = ops::contiguous(ops::to_device(tensor, {}));
    const std::string_view bytes(reinterpret_cast<const char*>(values.raw_data()), values.bytes());
    hash = 31 * hash + std::hash<std::string_view>()(bytes);
  }
  return static_cast<double>(hash >> 11);
}

}  // namespace

void check_same_configuration(Collective& collective, const std::string& text) {
  const bool same = collective.broadcast_text(text) == text;
  const std::vector<double> all = collective.all_gather(std::array{same ? 1.0 : 0.0});
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    check(all[rank] > 0, "train: rank ", rank,
          " was given another configuration than rank 0; start all processes with the same");
}

void check_same_images(Collective& collective, std::int64_t count) {
  const std::vector<double> counts = collective.all_gather(std::array{static_cast<double>(count)});
  for (std::size_t rank = 1; rank < counts.size(); ++rank)
    check(counts[rank] == counts[0], "train: rank ", rank, " has ", counts[rank],
          " images to train on, rank 0 has ", counts[0],
          "; data.train must be the same everywhere");
}

void check_same_weights(Collective& collective, const Tensors& weights, std::int64_t step) {
  if (collective.size() == 1) return;
  const std::vector<double> hashes = collective.all_gather(std::array{hash_of(weights)});
  for (std::size_t rank = 1; rank < hashes.size(); ++rank)
    check(hashes[rank] == hashes[0], "train: after step ", step, " the weights of rank ", rank,
          " are not those of rank 0; run the same build everywhere, with the same MINI_ISA");
}

}  // namespace mini::train
