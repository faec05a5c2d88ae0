#include "models/rescaler.h"

#include <algorithm>

#include "autograd/functions.h"

namespace mini::models {

Tensor Rescaler::downscale(const Tensor& hr) const {
  return quantise(resize_bicubic(hr, 1.0 / static_cast<double>(scale())));
}

std::unique_ptr<RowStream> Rescaler::stream(Rescaling /*way*/, const Shape& /*input*/,
                                            DType /*dtype*/, const Generator* /*generator*/,
                                            int /*quality*/) const {
  return nullptr;
}

std::size_t strip_memory(const Rescaler& network, Rescaling way, const Shape& input, DType dtype,
                         std::int64_t rows) {
  check(rows > 0, "strips: a strip needs at least one row, got ", rows);
  const std::unique_ptr<RowStream> stream = network.stream(way, input, dtype);
  check(stream != nullptr, "strips: ", network.name(), " takes whole images only");
  std::size_t peak = 0;
  for (std::int64_t first = 0; first < input[2]; first += rows)
    peak = std::max(peak, stream->rehearse(std::min(rows, input[2] - first)));
  return peak;
}

std::int64_t strip_rows(const Rescaler& network, Rescaling way, const Shape& input, DType dtype,
                        std::int64_t unit, std::size_t bytes) {
  const auto fits = [&](std::int64_t rows) {
    return strip_memory(network, way, input, dtype, rows) <= bytes;
  };
  if (fits(input[2])) return input[2];
  unit *= network.stream(way, input, dtype)->row_grid();
  // One by one, since a strip of fewer rows may need more: what the last strip leaves for the end
  // depends on how the height divides. All rehearsals together take height·log(height) steps.
  for (std::int64_t units = (input[2] - 1) / unit; units > 0; --units)
    if (fits(units * unit)) return units * unit;
  return 0;
}

}  // namespace mini::models
