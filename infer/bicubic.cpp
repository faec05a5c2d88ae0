// Bicubic interpolation as a Scaler. It works in strips, so that images of any height take little
// memory beside themselves; the pixels are those of resize_bicubic of the whole image.
#include <algorithm>

#include "infer/rows.h"
#include "infer/scaler.h"
#include "ops/image.h"
#include "tensor/allocator.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

constexpr std::int64_t strip_rows = 64;  // of the result

// The part of a map that makes the results [first, first + count), from the inputs [low, high).
struct Part {
  LinearMap map;
  std::int64_t low, high;
};
Part part_of(const LinearMap& whole, std::int64_t first, std::int64_t count) {
  const auto place = [&](std::int64_t i) { return whole.first[static_cast<std::size_t>(i)]; };
  const auto source = whole.source.begin(), begin = source + place(first),
             end = source + place(first + count);
  const auto [low, high] = std::minmax_element(begin, end);
  Part part{.map = {}, .low = *low, .high = *high + 1};
  part.map.input_size = part.high - part.low;
  for (std::int64_t i = first; i <= first + count; ++i)
    part.map.first.push_back(place(i) - place(first));
  for (auto one = begin; one != end; ++one) part.map.source.push_back(*one - part.low);
  part.map.weight.assign(whole.weight.begin() + place(first),
                         whole.weight.begin() + place(first + count));
  return part;
}

class BicubicScaler : public Scaler {
 public:
  BicubicScaler(std::int64_t scale, const MemoryLimit& limit) : scale_(scale), limit_(limit) {
    check(scale >= 1, "bicubic: scale must be at least 1, got ", scale);
  }
  std::string name() const override { return "bicubic"; }
  std::int64_t scale() const override { return scale_; }

 protected:
  Tensor down(const Tensor& image) const override {
    return resized(image, "downscale", 1.0 / static_cast<double>(scale_), scale_);
  }
  Tensor up(const Tensor& image, int /*quality*/) const override {
    return resized(image, "upscale", static_cast<double>(scale_), 1);
  }

 private:
  // The image is first continued to sides that are multiples of `unit`.
  Tensor resized(const Tensor& image, const char* op, double factor, std::int64_t unit) const {
    const auto map_of = [&](std::int64_t size) {
      return ops::bicubic_map((size + unit - 1) / unit * unit, factor);
    };
    const LinearMap rows = map_of(image.size(0)), columns = map_of(image.size(1));
    check_memory(image, op, rows, columns);
    ImageBuilder result(rows.output_size(), columns.output_size(), image.dtype());
    for (std::int64_t y = 0; y < rows.output_size(); y += strip_rows) {
      const Part part = part_of(rows, y, std::min(strip_rows, rows.output_size() - y));
      const Tensor strip = rows_of(image, part.low, part.high - part.low, unit);
      result.append(ops::linear_map(ops::linear_map(strip, part.map, 2), columns, 3));
    }
    return result.image();
  }

  void check_memory(const Tensor& image, const char* op, const LinearMap& rows,
                    const LinearMap& columns) const {
    const std::size_t taken = limit_.outside + allocator({}).stats().live;
    const auto larger = static_cast<std::size_t>(
        std::max(image.numel(), 3 * rows.output_size() * columns.output_size()));
    const std::size_t storing = taken + codec_images * larger * element_size(image.dtype());
    if (storing > limit_.bytes) fail_memory(op, image, limit_, storing);
  }

  std::int64_t scale_;
  MemoryLimit limit_;
};

}  // namespace

std::unique_ptr<Scaler> bicubic_scaler(std::int64_t scale, const MemoryLimit& limit) {
  return std::make_unique<BicubicScaler>(scale, limit);
}

}  // namespace mini::infer
